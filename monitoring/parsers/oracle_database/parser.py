"""Oracle: `KEY:[length] "value"` pairs of an audit record, and lines of the listener."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, put

_PAIR = re.compile(r"([A-Z][A-Z_$ ]{1,30}?) ?: ?\[\d{1,6}\] ?[\"']([^\"']{0,4096})[\"']")
_UNIFIED = re.compile(r"\b([A-Z]{3,16}):\"([^\"]{0,4096})\"")  # of the unified audit trail
_UNIFIED_NAMES = {"DBUSER": "DATABASE USER", "ACTION": "ACTION NUMBER", "RETCODE": "RETURNCODE", "OBJNAME": "OBJ$NAME",
                  "SCHEMA": "OBJ$CREATOR", "SESID": "SESSIONID", "DBID": "DBID", "OSUSER": "CLIENT USER"}  # fmt: skip
_LISTENER = re.compile(
    r"(\d\d-[A-Z]{3}-\d{4} [\d:]{8}|\d{4}-\d\d-\d\dT\S{8,40}) \* \((.{0,2048}?)\) \* (?:\((.{0,512}?)\) \* )?"
    r"(\w{1,32}) \* ([^*]{0,128}?)(?: \* |\Z)(\d{1,6})?"
)
_INNER = re.compile(r"\((HOST|USER|PORT|PROGRAM|SERVICE_NAME|SID|PROTOCOL)=([^()]{1,255})\)", re.IGNORECASE)
_PLACES = {
    "DATABASE USER": "user.name", "USERID": "user.name", "CLIENT USER": "canh.os.user", "OS$USERID": "canh.os.user",
    "USERHOST": "source.domain", "CLIENT ADDRESS": "source.ip", "ACTION NUMBER": "event.code",
    "TERMINAL": "canh.session.tty",
    "CLIENT TERMINAL": "canh.session.tty", "SESSIONID": "canh.session.id", "DBID": "canh.db.id",
    "PRIVILEGE": "canh.db.privilege",
    "OBJ$NAME": "canh.db.object", "OBJ$CREATOR": "canh.db.schema", "RETURNCODE": "canh.db.return",
    "STATUS": "canh.db.return",
}  # fmt: skip
_LOGIN = frozenset(("100", "CONNECT", "LOGON"))
_LOGOUT = frozenset(("101", "102", "LOGOFF", "DISCONNECT"))


def parse(line: Line) -> dict[str, Value] | None:
    """The record of a line; None for anything else."""
    pairs = {key.strip(): value for key, value in _PAIR.findall(line.text)}
    if not pairs and "Unified Audit" in line.text[:64]:
        pairs = {_UNIFIED_NAMES[key]: value for key, value in _UNIFIED.findall(line.text) if key in _UNIFIED_NAMES}
    if len(pairs) >= 2:
        return _record(pairs)
    match = _LISTENER.search(line.text)
    return None if match is None else _listener(match)


def _record(pairs: dict[str, str]) -> dict[str, Value]:
    fields: dict[str, Value] = {}
    for key, field in _PLACES.items():
        if field not in fields:
            put(fields, field, pairs.get(key))
    action = pairs.get("ACTION NUMBER") or pairs.get("ACTION", "")
    if len(action) <= 4 and action.isdecimal():
        fields["event.code"] = action
    else:
        put(fields, "canh.db.query", action)
    result = fields.get("canh.db.return")
    if result is not None:
        fields["event.outcome"] = "success" if result == "0" else "failure"
        fields["event.reason"] = f"ORA-{str(result).zfill(5)}"
    address = re.search(r"HOST=([0-9A-Fa-f.:]{3,45})", pairs.get("COMMENT$TEXT", ""))
    if address is not None:
        put(fields, "source.ip", address[1])
    word = action.split(" ")[0].strip("'").upper()
    if action in _LOGIN or word in _LOGIN:
        fields |= {"event.action": "db-login", "event.category": ("database", "authentication"),
                   "event.type": ("access", "start")}  # fmt: skip
    elif action in _LOGOUT or word in _LOGOUT:
        fields |= {"event.action": "logout", "event.category": ("database", "session"), "event.type": ("access", "end")}
    else:
        fields["event.action"] = "db-query"
    return fields


def _listener(match: re.Match[str]) -> dict[str, Value]:
    when, data, address, what, name, result = match.groups()
    fields: dict[str, Value] = {
        "@timestamp": when.title() if " " in when else when,
        "event.dataset": "oracle.listener",
        "event.code": what,
    }
    inner = {key.upper(): value for key, value in _INNER.findall(f"({data})")}
    outer = {key.upper(): value for key, value in _INNER.findall(f"({address or ''})")}
    put(fields, "source.ip", outer.get("HOST"))
    put(fields, "source.port", outer.get("PORT"))
    put(fields, "network.transport", outer.get("PROTOCOL"))
    put(fields, "source.domain", inner.get("HOST"))
    put(fields, "user.name", inner.get("USER"))
    put(fields, "canh.db.name", inner.get("SERVICE_NAME") or inner.get("SID") or name)
    put(fields, "process.name", inner.get("PROGRAM"))
    fields |= {"event.category": ("database", "network"), "event.type": ("access", "connection")}
    if result:
        fields["event.outcome"] = "success" if result == "0" else "failure"
    return fields
