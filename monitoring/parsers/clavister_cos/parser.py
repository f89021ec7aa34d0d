"""cOS Core: the time that stands in brackets before the name of the firewall."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed

_TIME = re.compile(r"\[(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\]")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    found = _TIME.match(line.text)
    if found is not None:
        fields["@timestamp"] = found[1]
    return fields
