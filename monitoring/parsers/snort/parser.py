"""Snort: a time with slashes has no year or has it last, and what was dropped is denied."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs

_WHEN = re.compile(r"(\d\d)/(\d\d)(?:/(\d{2,4}))?-(\d\d:\d\d:\d\d\.\d{6})")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The alert with its time and verdict."""
    when = _WHEN.match(str(fields.get("@timestamp", "")))
    if when is not None and 1 <= int(when[1]) <= 12:
        year = "" if not when[3] else f" {when[3] if len(when[3]) == 4 else '20' + when[3]}"
        fields["@timestamp"] = f"{_MONTHS[int(when[1]) - 1]} {when[2]}{year} {when[4]}"
    if "[Drop]" in line.text:
        fields |= {"event.type": ("denied",), "event.outcome": "failure"}
    fields.setdefault("message", str(fields.get("rule.name", line.text)))
    return fields
