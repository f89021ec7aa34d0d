"""The page that lists every parser is made from their folders; `make golden` rewrites it."""

from __future__ import annotations

import os

from monitoring.parsers import load
from tests.unit.monitoring.lab import ROOT

PAGE = ROOT / "docs/reference/parsers.md"
HEAD = """# What is understood

One row a folder of `monitoring/parsers/`. A product that is not here still gives addresses, users and a kind of
event through the generic parsers; [adding one](../guides/parsers.md) is adding a folder. The last column
holds names that `canh parse --source` takes besides the folder's.

| parser | what it reads | also called |
|---|---|---|
"""


def test_the_page_lists_every_parser() -> None:
    rows = [f"| `{name}` | {_described(name)} | {', '.join(parser.hints)} |" for name, parser in load().parsers.items()]
    page = HEAD + "\n".join(rows) + "\n"
    if os.environ.get("CANH_GOLDEN") == "write":
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page, "utf-8")
    assert PAGE.read_text("utf-8") == page, "fix: make golden"


def _described(name: str) -> str:
    """The comment with which its document begins, up to the first full stop."""
    lines = (ROOT / "monitoring/parsers" / name / "parser.yaml").read_text("utf-8").splitlines()
    comment = []
    for line in lines:
        if not line.startswith("#"):
            break
        comment.append(line.lstrip("# "))
    told = " ".join(comment).partition(". ")[0].rstrip(".").replace("|", "\\|")
    assert told, f"{name}/parser.yaml begins with no comment that says what it reads"
    return told
