"""ManageEngine: pairs `KEY=value` inside the CEF's message, each with its sign escaped or in brackets."""

from __future__ import annotations

import re

from monitoring.parsers import Line, Pairs, cef_of

_INNER = re.compile(r"\[?\b([A-Z][A-Z_]{1,32})\\?=\s?(.{0,512}?)(?=\]|\s?,?\s?\[?\b[A-Z][A-Z_]{1,32}\\?=|\Z)")


def read(line: Line) -> Pairs | None:
    found = cef_of(line.text)
    if found is None:
        return None
    head, _, told = line.text[:16384].rpartition("|")
    if not head:
        return found
    for key, value in _INNER.findall(told):
        if value.strip() and value.strip() not in ("-", "N/A"):
            found.setdefault(key, value.strip())
    return found
