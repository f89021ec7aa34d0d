"""Any JSON object: what its keys and words tell; of one that carries a known product's message, that."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, flat_of
from monitoring.parsers.generic_json._reading import fields_of
from monitoring.parsers.json_wrapped.parser import of_carrier


def parse(line: Line) -> dict[str, Value] | None:
    """The event; None when the message is no JSON object, or an empty one."""
    if not line.document:
        return None
    return of_carrier(line) or fields_of(flat_of(line.document))
