"""Keycloak: events as JSON, or as pairs in a line of its log."""

from __future__ import annotations

from monitoring.parsers import Line, Pairs, document_in, flat_of, pairs_of


def read(line: Line) -> Pairs | None:
    """The pairs of an event; None for other lines of the log."""
    if line.document is not None:
        message = line.document.get("message")
        if isinstance(message, str) and message[:1] == "{" and "realmId" in message:
            inner = document_in(message)
            return None if inner is None else read(line._replace(document=inner))
        if "realmId" not in line.document and isinstance(message, str) and "realmId=" in message:
            pairs = _of_text(message)
            return {"timestamp": line.document.get("timestamp"), **pairs}
        return flat_of(line.document) if "realmId" in line.document else None
    return _of_text(line.text)


def _of_text(text: str) -> Pairs:
    start = max(text.find("operationType="), 0) if "operationType=" in text else max(text.find("type="), 0)
    pairs = pairs_of(text[start:].replace(", ", ","), ",")
    if start >= 23 and text[:4].isdecimal():
        pairs.setdefault("time", text[:23])
    return pairs
