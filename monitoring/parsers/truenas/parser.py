"""TrueNAS: `@cee:{"TNAUDIT": {"addr": .., "user": .., "event": .., "event_data": "<JSON>"}}`."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, flat_of, put
from monitoring.parsers.generic_text.parser import add_words

_KINDS: dict[str, dict[str, Value]] = {
    "AUTHENTICATION": {"event.action": "login", "event.category": ("authentication",), "event.type": ("start",)},
    "LOGOUT": {"event.action": "logout", "event.category": ("authentication",), "event.type": ("end",)},
    "CONNECT": {"event.category": ("session",), "event.type": ("start",)},
    "DISCONNECT": {"event.category": ("session",), "event.type": ("end",)},
    "METHOD_CALL": {"event.action": "config-command"},
}


def parse(line: Line) -> dict[str, Value] | None:
    """The record, or the middleware's words."""
    fields: dict[str, Value] = {}
    if line.document is None:
        add_words(fields, line.text)
        return fields
    pairs = {key.rpartition("TNAUDIT.")[2]: value for key, value in flat_of(line.document).items()}
    for key, field in (("time", "@timestamp"), ("addr", "source.ip"), ("user", "user.name"), ("event", "event.code"),
                       ("sess", "canh.session.id"), ("svc", "service.name")):  # fmt: skip
        put(fields, field, pairs.get(key))
    fields |= _KINDS.get(str(pairs.get("event", "")), {})
    if isinstance(pairs.get("success"), bool):
        fields["event.outcome"] = "success" if pairs["success"] else "failure"
    return fields
