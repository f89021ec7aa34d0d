"""TippingPoint: `app=IP` names no protocol of the application."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed

_TRANSPORTS = frozenset(("ip", "tcp", "udp", "icmp"))


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    spoken = fields.get("network.protocol")
    if spoken in _TRANSPORTS:
        del fields["network.protocol"]
        if spoken != "ip":
            fields.setdefault("network.transport", spoken)
    return fields
