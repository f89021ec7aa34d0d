"""DefensePro writes the day before the month."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed

_WHEN = re.compile(r"(\d{2})-(\d{2})-(\d{4}) (\d{2}:\d{2}:\d{2})")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed:
    when = _WHEN.fullmatch(str(fields.get("@timestamp", "")))
    if when is not None and int(when[2]) <= 12:
        fields["@timestamp"] = f"{when[3]}-{when[2]}-{when[1]} {when[4]}"
    return fields
