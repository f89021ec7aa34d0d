"""Triage notes: `triage.md` beside the rule, `triage.vi.md` where there is one, as safe HTML.

Raw HTML in a note stays text, only http(s) and relative links survive, images do not.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock

import yaml
from markdown_it import MarkdownIt
from markupsafe import Markup


class Notes:
    """Notes by rule id. The folder is read when an id is asked for that is not known yet."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, Lock()
        self._rules: dict[str, Path] = {}
        self._markdown = (
            MarkdownIt("commonmark", {"html": False, "typographer": False}).enable("table").disable("image")
        )

    def of(self, rule_id: str, language: str) -> Markup | None:
        """The note of a rule as HTML, None when it has none."""
        folder = self._folder_of(rule_id)
        if folder is None:
            return None
        for name in (f"triage.{language}.md", "triage.md"):
            if (folder / name).is_file():
                html = self._markdown.render((folder / name).read_text("utf-8"))
                return Markup(_shifted(html))  # noqa: S704 - rendered with raw HTML switched off
        return None

    def _folder_of(self, rule_id: str) -> Path | None:
        with self._lock:
            if rule_id not in self._rules:
                self._rules = dict(_rules_in(self._folder))
            return self._rules.get(rule_id)


def _rules_in(folder: Path) -> list[tuple[str, Path]]:
    found = []
    for path in sorted(folder.rglob("rule.yml")):
        try:
            documents = list(yaml.safe_load_all(path.read_text("utf-8")))
        except (OSError, yaml.YAMLError):  # detection reports it; a page without its note is no reason to fail
            continue
        for document in documents:
            if isinstance(document, dict):
                found += [(str(document[key]), path.parent) for key in ("id", "name") if document.get(key)]
    return found


def _shifted(html: str) -> str:
    """Headings of a note stand below the page's own: h1 becomes h3 and so on."""
    for level in (4, 3, 2, 1):
        html = html.replace(f"<h{level}>", f"<h{min(6, level + 2)}>").replace(
            f"</h{level}>", f"</h{min(6, level + 2)}>"
        )
    return html
