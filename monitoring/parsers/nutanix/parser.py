"""Nutanix: JSON records, or a sentence whose addresses are read."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, add_common, flat_of, put
from monitoring.parsers._infer import infer
from monitoring.parsers.generic_text.parser import add_words

_KEYS = {
    "userName": "user.name", "sessionId": "canh.session.id", "clientIp": "source.ip", "params.ip_address": "source.ip",
    "opStartTimestampUsecs": "@timestamp", "opEndTimestampUsecs": "@timestamp", "creationTimestampUsecs": "@timestamp",
    "defaultMsg": "message", "operationType": "canh.nutanix.operation", "recordType": "event.code",
    "severity": "log.level",
    "originatingClusterUuid": "canh.cluster.id", "params.status": "event.reason",
}  # fmt: skip


def parse(line: Line) -> dict[str, Value] | None:
    """What was done."""
    fields: dict[str, Value] = {}
    if line.document is None:
        add_words(fields, line.text)
        infer(fields, line.text)
        return fields
    pairs = flat_of(line.document)
    for key, field in _KEYS.items():
        if field not in fields:
            put(fields, field, pairs.get(key))
    text = str(pairs.get("defaultMsg", ""))
    add_words(fields, text)
    fields |= {"event.category": ("configuration",), "event.type": ("change",), "event.action": "config-changed"}
    if "login" in f"{text} {pairs.get('operationType', '')}".lower():
        fields |= {"event.category": ("authentication",), "event.type": ("start",), "event.action": "login"}
    add_common(fields, pairs)
    return fields
