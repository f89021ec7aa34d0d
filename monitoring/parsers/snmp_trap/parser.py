"""SNMP notifications: what each means stands in `monitoring/snmp/vendors`; an unknown one keeps name and values.

A message that was refused (`kind` "rejected") is an `snmp-auth-failed` of who sent it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from monitoring import ecs
from monitoring.event import Value
from monitoring.parsers import Line, ip_text, load, mapping_of, number_of, text_of
from monitoring.snmp.catalogue import CLEARED, Trap, meanings, object_named, trap_of

_UNKNOWN: dict[str, Value] = {"event.category": ("network",), "event.type": ("info",)}
_KNOWN: dict[str, Value] = {"event.category": ("host",), "event.type": ("info",)}
_LONGEST_TEXT = 4096


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
        return fields | _rejected(trap)
    if trap.get("kind") == "engine-changed":
        return fields | dict(meanings()["snmp-engine-changed"])
    varbinds = [v for v in trap.get("varbinds", []) if isinstance(v, dict)]
    words = {text_of(v.get("name")): text_of(v.get("label", v.get("value"))) for v in reversed(varbinds)}
    known = trap_of(text_of(trap.get("oid")))
    fields |= _meaning(known, words)
    for field, value in _kept(varbinds):
        fields.setdefault(field, value)
    if known is not None and known.syslog:
        fields |= _said(known.message(words), line)
    _add_path(fields, trap)
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
        "canh.snmp.user": text_of(security.get("user")),
        "canh.snmp.varbinds": json.dumps(trap.get("varbinds", []), ensure_ascii=False, separators=(",", ":")),
    }
    uptime = number_of(trap.get("uptime_ms"))
    if isinstance(uptime, int):
        fields["canh.uptime_ms"] = uptime
    return {key: value for key, value in fields.items() if value != ""}


def _rejected(trap: dict[str, Any]) -> dict[str, Value]:
    """Who knocked with what: guessing shows as many of one source."""
    reason = text_of(trap.get("reason")) or "unknown"
    fields: dict[str, Value] = {**meanings()["snmp-auth-failed"], "event.reason": reason, "canh.snmp.reason": reason}
    if user := text_of(mapping_of(trap.get("security")).get("user")):
        fields["user.name"] = user
    if address := ip_text(text_of(trap.get("peer"))):
        fields["source.ip"] = address
    return fields


def _said(message: str, line: Line) -> dict[str, Value]:
    """What a syslog message inside a notification says, by its content."""
    try:
        found = load().parse(Line(message, "", line.received, line.platform)) if message else None
    except Exception as fault:  # a defect of that parser must not cost what the notification itself says
        return {"message": message, "error.message": f"parser failed: {type(fault).__name__}: {fault}"}
    if found is None or found[0].last:
        return {"message": message}
    parser, parsed = found
    return {"message": message, **parser.fields, **parsed, "canh.content": parser.name}


def _meaning(trap: Trap | None, words: Mapping[str, str]) -> dict[str, Value]:
    if trap is None:
        return dict(_UNKNOWN)
    action, is_cleared = trap.meaning(words)
    if is_cleared:
        return {**meanings()[CLEARED], **trap.fields, "canh.alarm": action}
    said = meanings().get(action, {"event.action": action, **_KNOWN} if action else _KNOWN)
    return {**said, **trap.fields}


def _kept(varbinds: list[dict[str, Any]]) -> Iterable[tuple[str, Value]]:
    """The fields the catalogue keeps of these values; where two give one field, the better name comes first."""
    for varbind in sorted(varbinds, key=lambda v: v.get("name") != "ifName"):
        known = object_named(text_of(varbind.get("name")))
        if known is None:
            continue
        for field in known.keeps:
            if (value := _value(field, varbind)) is not None:
                yield field, value
        for field in known.keeps_index:
            address = ip_text(".".join(text_of(varbind.get("index")).split(".")[:4]))
            if address is not None:
                yield field, address


def _value(field: str, varbind: Mapping[str, Any]) -> Value | None:
    """As the field's type wants it; None when it does not fit or says nothing."""
    value = varbind.get("label", varbind.get("value"))
    if field.endswith(".mac"):
        return _mac(text_of(value))
    kind = ecs.field_type(field).kind
    if kind == "ip" or field.endswith("_address"):
        return _address(varbind)
    if kind in ("long", "float"):
        return number_of(value)
    return text_of(value) or None


def _mac(text: str) -> str | None:
    """Hex octets as ECS wants an address."""
    pairs = [text[i : i + 2] for i in range(0, len(text), 2)]
    return "-".join(pairs).upper() if len(pairs) == 6 else None


def _address(varbind: Mapping[str, Any]) -> str | None:
    """An address as text, or as the 4 or 16 octets of an InetAddress."""
    text = text_of(varbind.get("value"))
    if varbind.get("type") == "Hex" and len(text) == 8:
        text = ".".join(str(int(text[i : i + 2], 16)) for i in range(0, 8, 2)) if _is_hex(text) else ""
    elif varbind.get("type") == "Hex" and len(text) == 32:
        text = ":".join(text[i : i + 4] for i in range(0, 32, 4))
    return ip_text(text)


def _is_hex(text: str) -> bool:
    return all(c in "0123456789abcdef" for c in text)


def _add_path(fields: dict[str, Value], trap: dict[str, Any]) -> None:
    """The device that speaks, where it is not who sent the datagram: NAT or a forwarding trap daemon."""
    agent = text_of(fields.get("canh.snmp.agent_address"))
    if agent in ("", "0.0.0.0"):  # noqa: S104  an agent that does not know its own address
        fields.pop("canh.snmp.agent_address", None)
    elif trap.get("peer"):
        fields["canh.snmp.forwarded"] = agent != ip_text(text_of(trap["peer"]))


def _sentence(trap: dict[str, Any]) -> str:
    """What a person reads: the name and its values."""
    name = text_of(trap.get("name")) or text_of(trap.get("oid")) or "SNMP notification"
    if trap.get("kind") == "rejected":
        return f"{name} rejected: {text_of(trap.get('reason'))}"
    if trap.get("kind") == "engine-changed":
        return f"{text_of(trap.get('peer'))} speaks with another SNMP engine than before"
    words = [_varbind(varbind) for varbind in trap.get("varbinds", []) if isinstance(varbind, dict)]
    return " ".join([name, *words])[:_LONGEST_TEXT]


def _varbind(varbind: dict[str, Any]) -> str:
    """name.index=value, as a person reads it."""
    name = ".".join(filter(None, (text_of(varbind.get("name")), text_of(varbind.get("index")))))
    return f"{name or text_of(varbind.get('oid'))}={text_of(varbind.get('label', varbind.get('value')))}"
