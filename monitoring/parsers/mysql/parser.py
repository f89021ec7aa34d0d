"""MySQL: records of the audit plug-ins as JSON; the level of an error, and its text, where the rules end."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, flat_of, ip_text, put

_LEVEL = re.compile(r"\[(Note|Warning|ERROR|System|Error)\] ")
_SLOW = re.compile(r"# Query_time: (\d{1,9}\.\d{1,9})")
_JSON = {
    "timestamp": "@timestamp", "audit_record.timestamp": "@timestamp", "account.user": "user.name",
    "login.user": "user.name",
    "login.ip": "source.ip", "account.host": "source.domain", "audit_record.user": "user.name",
    "audit_record.ip": "source.ip",
    "audit_record.host": "source.domain", "audit_record.db": "canh.db.name", "audit_record.sqltext": "canh.db.query",
    "general_data.query": "canh.db.query", "connection_data.db": "canh.db.name", "event": "event.code",
    "audit_record.name": "event.code", "table_access_data.query": "canh.db.query",
    "table_access_data.db": "canh.db.name",
}  # fmt: skip


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with its level; an audit record by its keys."""
    if line.document is not None:
        return _record(flat_of(line.document))
    level = _LEVEL.search(line.text[:160])
    if level is not None:
        fields["log.level"] = level[1].lower()
        fields.setdefault("message", line.text[level.end() :])
        if level[1].lower() == "error":
            fields.setdefault("event.type", ("error",))
    slow = _SLOW.search(line.text[:128])
    if slow is not None:
        fields["event.duration"] = int(float(slow[1]) * 1_000_000_000)
    if fields.get("event.action") == "db-query" and "event.reason" not in fields and line.text.endswith(",0"):
        fields["event.outcome"] = "success"
    reason = fields.get("event.reason")
    if fields.get("event.action") == "db-query" and isinstance(reason, str) and reason.isdecimal():
        fields |= {
            "event.action": "db-error",
            "event.code": reason,
            "event.outcome": "failure",
            "event.type": ("error",),
        }
    source = fields.get("source.domain")
    if isinstance(source, str) and source == "localhost" and "source.ip" not in fields:
        put(fields, "canh.session.type", "local")
    return fields


_ACTIVITY = {  # the audit plug-in of McAfee, now Trellix
    "date": "@timestamp", "user": "user.name", "cmd": "event.code", "ip": "source.ip", "query": "canh.db.query",
    "thread-id": "canh.session.id",
}  # fmt: skip


def _activity(pairs: Pairs) -> dict[str, Value]:
    fields: dict[str, Value] = {}
    for key, field in _ACTIVITY.items():
        put(fields, field, pairs.get(key) or None)
    command = str(pairs.get("cmd", "")).lower()
    if command in ("connect", "failed login"):
        return fields | {
            "event.action": "db-login",
            "event.category": ("database", "authentication"),
            "event.type": ("access", "start"),
            "event.outcome": "success" if command == "connect" else "failure",
        }
    if command == "quit":
        return fields | {
            "event.action": "logout", "event.category": ("database", "session"), "event.type": ("access", "end")
        }  # fmt: skip
    return fields | {"event.action": "db-query", "event.type": ("access",)}


def _record(pairs: Pairs) -> dict[str, Value]:
    if "msg-type" in pairs:
        return _activity(pairs)
    fields: dict[str, Value] = {}
    for key, field in _JSON.items():
        if field not in fields:
            put(fields, field, pairs.get(key))
    event = str(fields.get("event.code", "")).lower()
    status = pairs.get("connection_data.status", pairs.get("audit_record.status", pairs.get("general_data.status", 0)))
    if event in ("connect", "failed_connect"):
        fields |= {
            "event.action": "db-login",
            "event.category": ("database", "authentication"),
            "event.type": ("access", "start"),
            "event.outcome": "success" if str(status) == "0" else "failure",
        }
    elif event in ("disconnect", "quit"):
        fields |= {"event.action": "logout", "event.category": ("database", "session"), "event.type": ("access", "end")}
    else:
        fields |= {
            "event.action": "db-query",
            "event.type": ("access",),
            "event.outcome": "success" if str(status) == "0" else "failure",
        }
    if ip_text(str(fields.get("source.domain", ""))) is not None:
        put(fields, "source.ip", fields.pop("source.domain"))
    return fields
