"""Flow tuples of Azure: one text with commas a flow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, put

_V2 = ("@timestamp", "source.ip", "destination.ip", "source.port", "destination.port", "network.transport")
_TRANSPORTS = {"T": "tcp", "U": "udp"}
_DIRECTIONS = {"I": "inbound", "O": "outbound"}
_COUNTERS = ("source.packets", "source.bytes", "destination.packets", "destination.bytes")
DEEPEST = 8


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    """The event with the first flow of the record; `canh.azure.flows` says how many there are."""
    flows = list(_tuples(line.document, DEEPEST))
    if flows:
        fields["canh.azure.flows"] = len(flows)
        _add_flow(fields, flows[0].split(","))
        is_inbound = fields.get("network.direction") == "inbound"
        put(fields, "destination.mac" if is_inbound else "source.mac", pairs.get("properties.flows.flows.mac"))
    return fields


def _tuples(node: Any, deeper: int) -> Iterator[str]:
    if isinstance(node, dict) and deeper:
        for key, value in node.items():
            if key == "flowTuples" and isinstance(value, list):
                yield from (one for one in value if isinstance(one, str))
            else:
                yield from _tuples(value, deeper - 1)
    elif isinstance(node, list) and deeper:
        for one in node:
            yield from _tuples(one, deeper - 1)


def _add_flow(fields: dict[str, Value], values: list[str]) -> None:
    for name, value in zip(_V2, values, strict=False):
        put(fields, name, _TRANSPORTS.get(value, value))
    if len(values) > 6:
        put(fields, "network.direction", _DIRECTIONS.get(values[6], values[6]))
    if len(values) > 7:
        is_denied = values[7] == "D"
        fields["event.type"] = ("connection", "denied" if is_denied else "allowed")
        fields["event.action"] = "connection-denied" if is_denied else "connection-allowed"
        fields["event.outcome"] = "failure" if is_denied else "success"
    for name, value in zip(_COUNTERS, values[9:] if len(values) > 12 else values[8:], strict=False):
        put(fields, name, value)
