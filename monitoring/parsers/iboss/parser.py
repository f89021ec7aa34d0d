"""iboss: the day and the time are two values, and `-` and a card of zeros are none."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed

_NONE = frozenset(("-", "00-00-00-00-00-00", "0"))


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    for name in [name for name, value in fields.items() if str(value) in _NONE]:
        del fields[name]
    if pairs.get("logTime") and pairs.get("time"):
        fields["@timestamp"] = f"{pairs['logTime']}T{pairs['time']}Z"
    return fields
