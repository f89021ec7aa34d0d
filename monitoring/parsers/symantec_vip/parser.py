"""VIP: its time has its zone as `GMT-0500`."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed

_TIME = re.compile(r"\"(\d{4}-\d\d-\d\d) ([\d:.]{8,12}) GMT([+-]\d\d)(\d\d)\"")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    fields.pop("canh.vip.time", None)
    time = _TIME.search(line.text, 0, 128)
    if time is not None:
        fields["@timestamp"] = f"{time[1]}T{time[2]}{time[3]}:{time[4]}"
    return fields
