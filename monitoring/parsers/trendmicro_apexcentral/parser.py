"""Apex Central: its protocols and directions are numbers, and a process is written with its path."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, put
from monitoring.parsers._endpoint import add_names

_DIRECTIONS = {"0": "unknown", "1": "inbound", "2": "outbound"}


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    if str(fields.get("network.protocol", "")).isdecimal():
        del fields["network.protocol"]
    direction = str(fields.get("network.direction", ""))
    if direction.isdecimal():
        del fields["network.direction"]
        put(fields, "network.direction", _DIRECTIONS.get(direction))
    process = str(fields.get("process.name", ""))
    if "\\" in process:
        fields["process.executable"] = process
        fields["process.name"] = process.rpartition("\\")[2]
    add_names(fields)
    return fields
