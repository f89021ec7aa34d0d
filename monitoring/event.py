"""`Event`: a frozen wrapper over a flat ECS mapping.

Inside the program an event is flat ("source.ip" is one key); it is nested only where it is
written out or shown. Keys are ECS names, or `canh.*` where ECS has none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Value = str | int | float | bool | tuple[str, ...] | tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """One ECS event. `fields` is flat and never changed after construction."""

    fields: Mapping[str, Value]

    @property
    def id(self) -> str:
        """`event.id`: UUIDv5 of the spool's own UUID and the record's position."""
        return self.text("event.id")

    @property
    def timestamp(self) -> datetime:
        """`@timestamp`, aware UTC: when it happened, as far as the source says."""
        return _time(self.text("@timestamp"))

    @property
    def received(self) -> datetime:
        """`event.ingested`, aware UTC: when the receiver had it."""
        return _time(self.text("event.ingested"))

    @property
    def original(self) -> str:
        """`event.original`: the line as received (bytes that are not UTF-8 as \\xNN)."""
        return self.text("event.original")

    def text(self, name: str) -> str:
        """The field as text, "" when absent."""
        value = self.fields.get(name, "")
        return value if isinstance(value, str) else str(value)

    def get(self, name: str) -> Value | None:
        return self.fields.get(name)

    def nested(self) -> dict[str, Any]:
        """The ECS document, nested on dots."""
        return nested(self.fields)

    def as_json(self) -> str:
        return json.dumps(self.nested(), ensure_ascii=False, separators=(",", ":"))


def nested(fields: Mapping[str, Value]) -> dict[str, Any]:
    """A flat mapping as a nested document. A name that is both a leaf and a parent keeps the parent."""
    document: dict[str, Any] = {}
    for name, value in fields.items():
        node = document
        *parents, leaf = name.split(".")
        for parent in parents:
            below = node.get(parent)
            if not isinstance(below, dict):
                below = node[parent] = {}
            node = below
        if not isinstance(node.get(leaf), dict):
            node[leaf] = list(value) if isinstance(value, tuple) else value
    return document


def flat(document: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Value]]:
    """The (name, value) pairs of a nested document; the inverse of `nested`."""
    for key, value in document.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flat(value, f"{name}.")
        elif isinstance(value, list):
            yield name, tuple(value)
        elif value is not None:
            yield name, value


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
