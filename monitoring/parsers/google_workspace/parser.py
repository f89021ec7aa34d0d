"""Google Workspace: an activity's parameters are objects with a name and a value of one of several kinds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitoring.parsers import Line, Pairs, flat_of

_KINDS = ("value", "intValue", "boolValue", "multiValue", "multiIntValue")
MOST = 128  # parameters looked at


def read(line: Line) -> Pairs | None:
    """The activity's pairs, those of its first event's parameters by their names."""
    document = line.document
    if document is None:
        return None
    pairs = flat_of(document)
    events = document.get("events")
    first = events[0] if isinstance(events, list) and events else events
    if isinstance(first, Mapping):
        parameters = first.get("parameters")
        if isinstance(parameters, list):
            pairs = {key: value for key, value in pairs.items() if not key.startswith("events.parameters.")}
            pairs.update(_named(parameters[:MOST]))
    return pairs


def _named(parameters: list[Any]) -> Pairs:
    found: Pairs = {}
    for one in parameters:
        if isinstance(one, Mapping) and isinstance(one.get("name"), str):
            value = next((one[kind] for kind in _KINDS if kind in one), None)
            if value is not None and not isinstance(value, Mapping):
                found.setdefault(f"events.parameters.{one['name']}", value)
    return found
