"""RSA Authentication Manager: the columns of its three audit logs, alike in their beginning."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Parsed, csv_of, ip_text, put

_START = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3},")
_NAME = re.compile(r"[A-Z][A-Z0-9_]{4,48}\Z")
_ID = re.compile(r"[0-9a-f]{24,40}\Z")
_OUT = ("LOGOUT", "LOGOFF", "SESSION_END")


def parse(line: Line) -> Parsed | None:
    start = _START.search(line.text, 0, 512)
    if start is None or ".com.rsa" not in line.text[:512]:
        return None
    values = [value.strip() for value in csv_of(line.text[start.start() :])]
    fields: dict[str, Value] = {"@timestamp": f"{values[0]}.{values[1]}"}
    if len(values) > 5:
        put(fields, "observer.name", values[2])
        put(fields, "log.level", values[4])
    addresses = [value for value in values[5:12] if ip_text(value) is not None]
    for name, address in zip(("source.ip", "destination.ip"), addresses, strict=False):
        put(fields, name, address)
    at = next((n for n, value in enumerate(values[5:14], 5) if _NAME.match(value)), -1)
    if at > 0:
        put(fields, "event.code", values[at])
        _add_rest(fields, values, at)
    fields |= _kind(str(fields.get("event.code", "")), values[3])
    return fields


def _add_rest(fields: dict[str, Value], values: list[str], at: int) -> None:
    """After the event's name: its number, the result, the reason, the actor's ids and his login."""
    rest = values[at + 1 :] + [""] * 8
    put(fields, "canh.rsa.number", rest[0])
    fields["event.outcome"] = "success" if rest[1].upper() == "SUCCESS" else "failure" if rest[1] else "unknown"
    put(fields, "event.reason", rest[2])
    login = rest[7] if _ID.match(rest[6]) else rest[6]
    put(fields, "user.name", login)
    put(fields, "source.user.name", login)


def _kind(code: str, kind: str) -> dict[str, Value]:
    if any(word in code for word in _OUT):
        return {"event.category": ("authentication", "session"), "event.type": ("end",), "event.action": "logout"}
    if "AUTHN" in code or "LOGIN" in code or "runtime" in kind:
        return {"event.category": ("authentication",), "event.type": ("start",), "event.action": "login"}
    if "admin" in kind:
        return {"event.category": ("iam",), "event.type": ("admin", "change"), "event.action": "config-changed"}
    return {"event.category": ("host",), "event.type": ("info",)}
