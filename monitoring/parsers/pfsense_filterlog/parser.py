"""filterlog of pfSense and OPNsense: CSV whose columns depend on the address family and the protocol."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Parsed, put

COMMON = ("rule", "subrule", "anchor", "tracker", "interface", "reason", "action", "direction", "version")
IPV4 = ("tos", "ecn", "ttl", "id", "offset", "flags", "number", "protocol", "length", "source", "destination")
IPV6 = ("class", "flow", "hoplimit", "protocol", "number", "length", "source", "destination")
ALLOWED = frozenset(("pass", "rdr", "nat", "match"))


def parse(line: Line) -> Parsed | None:
    values = line.text.strip().split(",")
    if len(values) < len(COMMON) or values[8] not in ("4", "6"):
        return None
    packet = dict(zip(COMMON + (IPV4 if values[8] == "4" else IPV6), values, strict=False))
    is_allowed = packet["action"] in ALLOWED
    fields: dict[str, Value] = {
        "event.category": ("network",),
        "event.type": ("connection", "allowed" if is_allowed else "denied"),
        "event.action": "connection-allowed" if is_allowed else "connection-denied",
        "event.outcome": "success" if is_allowed else "failure",
        "network.type": "ipv" + values[8],
        "network.direction": {"in": "inbound", "out": "outbound"}.get(packet["direction"], packet["direction"]),
    }
    side = "egress" if packet["direction"] == "out" else "ingress"
    put(fields, f"observer.{side}.interface.name", packet["interface"])
    put(fields, "rule.id", packet["tracker"] if packet["tracker"] not in ("", "0") else packet["rule"])
    put(fields, "canh.pf.rule", packet["rule"])
    put(fields, "event.reason", packet["reason"])
    put(fields, "network.transport", packet.get("protocol", ""))
    if "network.transport" not in fields:
        put(fields, "network.transport", packet.get("number", ""))
    put(fields, "source.ip", packet.get("source", ""))
    put(fields, "destination.ip", packet.get("destination", ""))
    put(fields, "network.bytes", packet.get("length", ""))
    _add_ports(fields, packet, values[len(packet) :])
    return fields


def _add_ports(fields: dict[str, Value], packet: dict[str, str], rest: list[str]) -> None:
    if packet.get("protocol", "").lower() in ("tcp", "udp", "sctp") and len(rest) > 1:
        put(fields, "source.port", rest[0])
        put(fields, "destination.port", rest[1])
        if len(rest) > 3:
            put(fields, "canh.tcp.flags", rest[3])
    elif "icmp" in packet.get("protocol", "").lower() and rest:
        put(fields, "canh.icmp.type", rest[0])
