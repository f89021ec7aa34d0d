"""What an event means, from events.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import yaml

from monitoring.event import Value

Meaning = Mapping[str, Value]
_OTHER: Meaning = {"event.category": ("host",), "event.type": ("info",)}


def _load() -> list[tuple[str, list[str], dict[str, Meaning]]]:
    document = yaml.safe_load(Path(__file__).with_name("events.yaml").read_text("utf-8"))
    return [
        (
            group,
            entry["of"],
            {event_id: _meaning(*what) for ids, what in entry["events"].items() for event_id in ids.split()},
        )
        for group, entry in document.items()
    ]


def _meaning(category: str, type_: str, action: str, outcome: str) -> Meaning:
    meaning: dict[str, Value] = {"event.category": tuple(category.split()), "event.type": tuple(type_.split())}
    if action:
        meaning["event.action"] = action
    if outcome:
        meaning["event.outcome"] = outcome
    return meaning


_GROUPS = _load()


@lru_cache(maxsize=4096)
def meaning_of(provider: str, channel: str, event_id: str) -> tuple[str, Meaning]:
    """(group, fields); the group is "" for a provider that is not in the list."""
    lower = (provider.lower(), channel.lower())
    for where in lower:
        if where:
            for group, names, events in _GROUPS:
                if any(where == name[1:] if name[0] == "=" else name in where for name in names):
                    return group, events.get(event_id, _OTHER)
    return "", _OTHER
