"""Carbon Black: transports are written PROTO_TCP; names of processes and files stand in their paths."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, put
from monitoring.parsers._endpoint import add_names


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with its transport, its names, and the ends of a connection that came in."""
    put(fields, "network.transport", str(pairs.get("netconn_protocol", "")).removeprefix("PROTO_"))
    if str(fields.get("network.protocol", "")).startswith("proto_"):
        del fields["network.protocol"]
    if str(pairs.get("netconn_inbound", "")).lower() == "true":
        for part in ("ip", "port"):
            put(fields, f"source.{part}", pairs.get(f"remote_{part}", pairs.get(f"netconn_remote_{part}")))
            put(fields, f"destination.{part}", pairs.get(f"local_{part}", pairs.get(f"netconn_local_{part}")))
    add_names(fields)
    return fields
