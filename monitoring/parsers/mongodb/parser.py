"""MongoDB: `{"t":{"$date":..},"s":"I","c":"ACCESS","id":..,"ctx":..,"msg":..,"attr":{..}}` and its text form."""

from __future__ import annotations

import re
from typing import Any

from monitoring.event import Value
from monitoring.parsers import Line, flat_of, put
from monitoring.parsers.generic_text.parser import add_words

_TEXT = re.compile(r"(\S{20,35}) ([DIWEF])\d? {1,2}(\S{1,10}) {1,8}\[([^\]]{0,128})\] (.*)", re.DOTALL)
_LEVELS = {"D": "debug", "I": "info", "W": "warning", "E": "error", "F": "fatal"}
_KEYS = {
    "t.$date": "@timestamp", "ts.$date": "@timestamp", "msg": "message", "id": "event.code", "c": "log.logger",
    "ctx": "process.thread.name", "attr.remote": "source.ip", "attr.client": "source.ip",
    "attr.principalName": "user.name",
    "attr.user": "user.name", "attr.authenticationDatabase": "canh.db.name", "attr.ns": "canh.db.namespace",
    "attr.error": "event.reason", "attr.error.errmsg": "event.reason", "attr.mechanism": "canh.auth.method",
    "attr.durationMillis": "canh.db.duration_ms", "attr.user.user": "user.name", "attr.db": "canh.db.name",
    "atype": "event.code", "remote.ip": "source.ip", "remote.port": "source.port", "local.ip": "destination.ip",
    "local.port": "destination.port", "users.user": "user.name", "param.user": "user.name", "param.db": "canh.db.name",
    "param.roles.role": "canh.db.role",
    "param.ns": "canh.db.namespace", "attr.host": "host.name", "attr.pid": "process.pid",
}  # fmt: skip
_PRINCIPAL = re.compile(r"(?:as principal|failed for) (\S{1,128}) on (\S{1,128})")
_LOGIN: dict[str, Value] = {
    "event.action": "db-login",
    "event.category": ("database", "authentication"),
    "event.type": ("access", "start"),
}


def parse(line: Line) -> dict[str, Value] | None:
    """What the server says; None for a line that is not its own."""
    if line.document is not None:
        return _document(flat_of(line.document))
    match = _TEXT.match(line.text)
    if match is None:
        return {} if line.app_name.startswith("mongo") else None
    fields: dict[str, Value] = {
        "@timestamp": match[1], "log.level": _LEVELS[match[2]], "log.logger": match[3], "message": match[5],
        "process.thread.name": match[4],
    }  # fmt: skip
    principal = _PRINCIPAL.search(match[5])
    if principal is not None:
        put(fields, "user.name", principal[1])
        put(fields, "canh.db.name", principal[2])
    add_words(fields, match[5])
    return _kind(fields, match[5])


def _document(pairs: dict[str, Any]) -> dict[str, Value]:
    fields: dict[str, Value] = {}
    for key, field in _KEYS.items():
        if field not in fields:
            put(fields, field, pairs.get(key))
    if "s" in pairs:
        fields["log.level"] = _LEVELS.get(str(pairs["s"])[:1], "info")
    if pairs.get("atype") == "authenticate":
        return fields | _LOGIN | {"event.outcome": "success" if pairs.get("result") in (0, "0") else "failure"}
    if "atype" in pairs:
        return fields | _audited(str(pairs["atype"]), pairs.get("result") in (0, "0", None))
    return _kind(fields, str(pairs.get("msg", "")))


def _audited(command: str, is_done: bool) -> dict[str, Value]:
    """What an entry of the audit log says was done: `dropDatabase`, `grantRolesToUser`..."""
    is_of_roles = "Role" in command or "User" in command
    return {
        "canh.db.command": command,
        "event.action": "db-role-changed" if is_of_roles else "db-query",
        "event.category": ("database", "iam") if is_of_roles else ("database",),
        "event.type": ("change",) if is_of_roles else ("access",),
        "event.outcome": "success" if is_done else "failure",
    }


def _kind(fields: dict[str, Value], text: str) -> dict[str, Value]:
    lower = text.lower()
    if "authentication succeeded" in lower or "successfully authenticated" in lower:
        fields |= _LOGIN | {"event.outcome": "success"}
    elif "authentication failed" in lower:
        fields |= _LOGIN | {"event.outcome": "failure"}
    elif lower.startswith(("connection accepted", "connection ended", "end connection")):
        is_end = "ended" in lower or lower.startswith("end")
        fields |= {
            "event.category": ("database", "network"),
            "event.type": ("access", "end" if is_end else "connection"),
        }
    elif fields.get("log.level") in ("error", "fatal"):
        fields["event.type"] = ("error",)
    return fields
