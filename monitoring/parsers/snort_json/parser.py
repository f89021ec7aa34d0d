"""Snort: a time without a year, `03/01-10:00:00.123456`, becomes one that is read anywhere; a rule is gid:sid:rev."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed

_TIME = re.compile(r"(?:(\d{2}|\d{4})/)?(\d\d)/(\d\d)-(\d\d:\d\d:\d\d(?:\.\d{1,6})?)\Z")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    """The event with its time and rule."""
    match = _TIME.match(str(fields.get("@timestamp", "")))
    if match is not None:
        year = match[1] or str(line.received.year)
        fields["@timestamp"] = f"{year if len(year) == 4 else '20' + year}-{match[2]}-{match[3]} {match[4]}"
    gid, colon, rest = str(pairs.get("rule", "")).partition(":")
    if colon:
        fields["canh.snort.gid"] = gid
        fields["rule.id"], _, version = rest.partition(":")
        if version:
            fields["rule.version"] = version
    return fields
