"""Entra ID: its logs name what was done in several places; a result that is a word is no code."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, flat_of

_OPERATIONS = ("OperationName", "activityDisplayName", "properties.activityDisplayName", "ActivityDisplayName")


def read(line: Line) -> Pairs | None:
    """The pairs, with `operationName` and `category` wherever they stood."""
    if line.document is None:
        return None
    pairs = flat_of(line.document)
    for key in _OPERATIONS:
        if "operationName" not in pairs and isinstance(pairs.get(key), str):
            pairs["operationName"] = pairs[key]
    if "category" not in pairs and isinstance(pairs.get("Category"), str):
        pairs["category"] = pairs["Category"]
    return pairs


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    """The event; `Success` stays its outcome alone."""
    if not any(char.isdecimal() for char in str(fields.get("event.code", ""))):
        fields.pop("event.code", None)
    return fields
