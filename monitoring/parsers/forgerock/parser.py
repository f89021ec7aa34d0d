"""ForgeRock: its cloud's log API puts the entry below `payload`."""

from __future__ import annotations

from collections.abc import Mapping

from monitoring.parsers import Line, Pairs, flat_of


def read(line: Line) -> Pairs | None:
    """The pairs of the entry."""
    document = line.document
    if document is None:
        return None
    payload = document.get("payload")
    if isinstance(payload, Mapping):
        return flat_of(payload) if "eventName" in payload or "level" in payload else None
    return flat_of(document) if "eventName" in document else None
