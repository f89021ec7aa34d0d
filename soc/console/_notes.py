"""What the rule library says to people: a rule's slug, its Vietnamese title, its triage note as safe HTML.

Raw HTML in a note stays text, only http(s) and relative links survive, images do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from markdown_it import MarkdownIt
from markupsafe import Markup

from soc.alert import Alert
from soc.known import KnownRules
from soc.policy import Generated


class Notes:
    """Rules by id, from the libraries in `folders` and those the inventory gives."""

    def __init__(self, folders: Sequence[Path], generated: Iterable[Generated] = ()) -> None:
        self._rules = KnownRules(folders, generated)
        markdown = MarkdownIt("commonmark", {"html": False, "typographer": False})
        self._markdown = markdown.enable("table").disable("image")

    def of(self, rule_id: str, language: str) -> Markup | None:
        """The note of a rule as HTML, None when it has none."""
        rule = self._rules.of(rule_id)
        if rule is None:
            return None
        for name in (f"triage.{language}.md", "triage.md"):
            if (rule.folder / name).is_file():
                text = (rule.folder / name).read_text("utf-8")
                return Markup(_shifted(self._markdown.render(_without_title(text))))  # noqa: S704 - raw HTML is off
        return None

    def title_of(self, alert: Alert, language: str) -> str:
        """The alert's title in a language; as raised when the rule has no other."""
        return self._rules.title_of(alert, language)

    def slug_of(self, rule_id: str) -> str:
        """The rule's folder name, which people know it by; its id when it is in no folder."""
        rule = self._rules.of(rule_id)
        return rule.folder.name if rule else rule_id


def _without_title(text: str) -> str:
    """The note without its first heading, which repeats the alert's."""
    return re.sub(r"\A\s*# .*\n", "", text)


def _shifted(html: str) -> str:
    """Headings of a note stand below the page's own: h2 becomes h3 and so on."""
    for level in (5, 4, 3, 2, 1):
        below = max(3, min(6, level + 1))
        html = html.replace(f"<h{level}>", f"<h{below}>").replace(f"</h{level}>", f"</h{below}>")
    return html
