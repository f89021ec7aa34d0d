"""SNMP notifications: the well-known ones by their meaning, every other by its name and values."""

from __future__ import annotations

import json
from typing import Any

from monitoring.event import Value
from monitoring.parsers import Line, ip_text, mapping_of, text_of

_NETWORK = {"event.category": ("network",), "event.type": ("info", "change")}
_HOST = {"event.category": ("host",), "event.type": ("start",)}
_MEANINGS: dict[str, dict[str, Value]] = {
    "1.3.6.1.6.3.1.1.5.1": {"event.action": "device-restarted", **_HOST},
    "1.3.6.1.6.3.1.1.5.2": {"event.action": "device-restarted", **_HOST},
    "1.3.6.1.6.3.1.1.5.3": {"event.action": "interface-down", **_NETWORK},
    "1.3.6.1.6.3.1.1.5.4": {"event.action": "interface-up", **_NETWORK},
    "1.3.6.1.6.3.1.1.5.5": {
        "event.action": "snmp-auth-failed",
        "event.category": ("authentication",),
        "event.type": ("start",),
        "event.outcome": "failure",
    },
    "1.3.6.1.6.3.1.1.5.6": {"event.action": "routing-neighbor-down", **_NETWORK},
    "1.3.6.1.2.1.15.0.1": {"event.action": "routing-neighbor-up", **_NETWORK},
    "1.3.6.1.2.1.15.0.2": {"event.action": "routing-neighbor-down", **_NETWORK},
    "1.3.6.1.2.1.15.7.1": {"event.action": "routing-neighbor-up", **_NETWORK},
    "1.3.6.1.2.1.15.7.2": {"event.action": "routing-neighbor-down", **_NETWORK},
    "1.3.6.1.4.1.8072.4.0.1": {
        "event.action": "service-started",
        "service.name": "snmpd",
        "event.category": ("process",),
        "event.type": ("start",),
    },
    "1.3.6.1.4.1.8072.4.0.2": {
        "event.action": "service-stopped",
        "service.name": "snmpd",
        "event.category": ("process",),
        "event.type": ("end",),
    },
    "1.3.6.1.4.1.8072.4.0.3": {
        "event.action": "service-started",
        "service.name": "snmpd",
        "event.category": ("process",),
        "event.type": ("start",),
    },
}
_REJECTED: dict[str, Value] = {
    "event.action": "snmp-auth-failed",
    "event.category": ("authentication",),
    "event.type": ("start",),
    "event.outcome": "failure",
}
_OSPF_NEIGHBOUR = "1.3.6.1.2.1.14.16.2.2"  # ospfNbrStateChange; the new state is in ospfNbrState
_NAMES = ("ifName", "ifDescr")  # of an interface, the better one first


def parse(line: Line) -> dict[str, Value] | None:
    """The fields of a notification; None for JSON that is not ours."""
    try:
        trap = json.loads(line.text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(trap, dict) or not isinstance(trap.get("varbinds", []), list):
        return None
    fields = _common(trap)
    if trap.get("kind") == "rejected":
        return fields | _REJECTED | {"event.reason": text_of(trap.get("reason")) or "unknown"}
    values = _values(trap.get("varbinds", []))
    fields |= _MEANINGS.get(text_of(trap.get("oid")), {"event.category": ("network",), "event.type": ("info",)})
    _add_interface(fields, values)
    _add_neighbour(fields, trap, values)
    return fields


def _common(trap: dict[str, Any]) -> dict[str, Value]:
    security = mapping_of(trap.get("security"))
    name, oid = text_of(trap.get("name")), text_of(trap.get("oid"))
    fields: dict[str, Value] = {
        "message": _sentence(trap),
        "canh.snmp.version": text_of(trap.get("version")),
        "canh.snmp.kind": text_of(trap.get("kind")),
        "canh.snmp.oid": oid,
        "event.code": name or oid,
        "canh.snmp.level": text_of(security.get("level")),
        "canh.snmp.engine_id": text_of(security.get("engine_id")),
        "user.name": text_of(security.get("user")),
        "canh.snmp.varbinds": json.dumps(trap.get("varbinds", []), ensure_ascii=False, separators=(",", ":")),
    }
    uptime = trap.get("uptime_ms")
    if isinstance(uptime, int) and not isinstance(uptime, bool):
        fields["canh.uptime_ms"] = uptime
    return {key: value for key, value in fields.items() if value != ""}


def _sentence(trap: dict[str, Any]) -> str:
    """What a person reads: the name and its values."""
    name = text_of(trap.get("name")) or text_of(trap.get("oid")) or "SNMP notification"
    if trap.get("kind") == "rejected":
        return f"{name} rejected: {text_of(trap.get('reason'))}"
    words = [_varbind(varbind) for varbind in trap.get("varbinds", []) if isinstance(varbind, dict)]
    return " ".join([name, *words])[:4096]


def _varbind(varbind: dict[str, Any]) -> str:
    """name.index=value, as a person reads it."""
    name = ".".join(filter(None, (text_of(varbind.get("name")), text_of(varbind.get("index")))))
    return f"{name or text_of(varbind.get('oid'))}={text_of(varbind.get('label', varbind.get('value')))}"


def _values(varbinds: list[Any]) -> dict[str, Any]:
    """Values by object name; an enumeration by its word."""
    return {
        text_of(v.get("name")): v.get("label", v.get("value"))
        for v in reversed(varbinds)
        if isinstance(v, dict) and v.get("name")
    }


def _add_interface(fields: dict[str, Value], values: dict[str, Any]) -> None:
    name = next((text_of(values[n]) for n in _NAMES if values.get(n)), "")
    if name:
        fields["observer.ingress.interface.name"] = name
    for source, field in (
        ("ifIndex", "observer.ingress.interface.id"),
        ("ifAlias", "observer.ingress.interface.alias"),
        ("ifAdminStatus", "canh.interface.admin_status"),
        ("ifOperStatus", "canh.interface.oper_status"),
    ):
        if text_of(values.get(source)):
            fields[field] = text_of(values[source])


def _add_neighbour(fields: dict[str, Value], trap: dict[str, Any], values: dict[str, Any]) -> None:
    if trap.get("oid") == _OSPF_NEIGHBOUR:
        is_up = values.get("ospfNbrState") in ("full", 8)
        fields |= {"event.action": "routing-neighbor-up" if is_up else "routing-neighbor-down", **_NETWORK}
    address = ip_text(text_of(values.get("ospfNbrIpAddr")) or text_of(values.get("bgpPeerRemoteAddr")))
    if address is not None:
        fields["canh.nbr.ip"] = address
    if values.get("ospfNbrRtrId"):
        fields["canh.nbr.id"] = text_of(values["ospfNbrRtrId"])
