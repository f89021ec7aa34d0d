"""What the rule library says to people: a rule's slug, its Vietnamese title, its triage note as safe HTML.

Raw HTML in a note stays text, only http(s) and relative links survive, images do not.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import yaml
from markdown_it import MarkdownIt
from markupsafe import Markup

from soc.alert import Alert

RESCAN_S = 30.0  # an id that is not known makes the folder be read again, at most this often


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """One rule of the library."""

    folder: Path
    title_vi: str = ""


class Notes:
    """Rules by id. The folder is read when an id is asked for that is not known yet."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._lock = folder, Lock()
        self._rules: dict[str, Known] = {}
        self._scanned = -RESCAN_S
        markdown = MarkdownIt("commonmark", {"html": False, "typographer": False})
        self._markdown = markdown.enable("table").disable("image")

    def of(self, rule_id: str, language: str) -> Markup | None:
        """The note of a rule as HTML, None when it has none."""
        rule = self._known(rule_id)
        if rule is None:
            return None
        for name in (f"triage.{language}.md", "triage.md"):
            if (rule.folder / name).is_file():
                text = (rule.folder / name).read_text("utf-8")
                return Markup(_shifted(self._markdown.render(_without_title(text))))  # noqa: S704 - raw HTML is off
        return None

    def title_of(self, alert: Alert, language: str) -> str:
        """The alert's title in a language; as raised when the rule has no other."""
        rule = self._known(alert.rule_id)
        return rule.title_vi if language == "vi" and rule and rule.title_vi else alert.title

    def slug_of(self, rule_id: str) -> str:
        """The rule's folder name, which people know it by; its id when it is in no folder."""
        rule = self._known(rule_id)
        return rule.folder.name if rule else rule_id

    def _known(self, rule_id: str) -> Known | None:
        with self._lock:
            if rule_id not in self._rules and time.monotonic() - self._scanned >= RESCAN_S:
                self._rules, self._scanned = rules_in(self._folder), time.monotonic()
            return self._rules.get(rule_id)


def rules_in(folder: Path) -> dict[str, Known]:
    """Every rule of a library by id. What does not parse is detection's to report."""
    found: dict[str, Known] = {}
    for path in sorted(folder.rglob("rule.yml")):
        try:
            documents = list(yaml.load_all(path.read_text("utf-8"), Loader=_LOADER))
        except (OSError, yaml.YAMLError):
            continue
        for document in documents:
            if isinstance(document, dict) and document.get("id"):
                ours = document.get("canh")
                title = str(ours.get("title_vi") or "") if isinstance(ours, dict) else ""
                found[str(document["id"])] = Known(folder=path.parent, title_vi=title)
    return found


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _without_title(text: str) -> str:
    """The note without its first heading, which repeats the alert's."""
    return re.sub(r"\A\s*# .*\n", "", text)


def _shifted(html: str) -> str:
    """Headings of a note stand below the page's own: h2 becomes h3 and so on."""
    for level in (5, 4, 3, 2, 1):
        below = max(3, min(6, level + 1))
        html = html.replace(f"<h{level}>", f"<h{below}>").replace(f"</h{level}>", f"</h{below}>")
    return html
