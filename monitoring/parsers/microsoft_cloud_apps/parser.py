"""Defender for Cloud Apps: who and what an alert is about stands in a list of entities of several types."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, mapping_of, put

MOST = 32  # entities looked at
_NAMES = {
    "ip": "source.ip",
    "user": "user.name",
    "file": "file.name",
    "service": "service.name",
    "machine": "host.name",
}


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with the first entity of each type."""
    entities = (line.document or {}).get("entities")
    for one in map(mapping_of, entities[:MOST] if isinstance(entities, list) else ()):
        kind = str(one.get("type", ""))
        if kind == "account":
            put(fields, "user.name", one.get("em") or one.get("label"))
            put(fields, "user.id", one.get("id"))
        elif kind in _NAMES and _NAMES[kind] not in fields:
            put(fields, _NAMES[kind], one.get("label"))
    return fields
