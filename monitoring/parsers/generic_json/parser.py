"""Any JSON object: what its keys and words tell; of one that carries a known product's message, that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitoring.event import Value
from monitoring.parsers import Line, document_in, flat_of
from monitoring.parsers.generic_json._reading import fields_of
from monitoring.parsers.json_wrapped.parser import of_carrier

_TEXTS = ("message", "msg", "log", "raw", "event", "data", "payload", "text", "Message", "_raw")


def parse(line: Line) -> dict[str, Value] | None:
    """The event; None when the message is no JSON object, or an empty one."""
    if not line.document:
        return None
    return of_carrier(line) or _of_written(line.document) or fields_of(flat_of(line.document))


def _of_written(document: Mapping[str, Any]) -> dict[str, Value] | None:
    """What an object says that stands as text below one key; the keys around it fill what is open."""
    for key in _TEXTS:
        text = document.get(key)
        if isinstance(text, str) and text[:1] == "{" and (inner := document_in(text)):
            outer = fields_of(flat_of({name: value for name, value in document.items() if name != key}))
            told = fields_of(flat_of(inner))
            return {**outer, "message": text, **told}
    return None
