"""CyberArk Identity: its times are `/Date(milliseconds)/`."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs

_DATE = re.compile(r"/Date\((\d{10,16})[+\d-]{0,6}\)/")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with its time as a count of milliseconds."""
    when = _DATE.fullmatch(str(pairs.get("WhenOccurred", ""))[:40])
    if when:
        fields["@timestamp"] = when[1]
    return fields
