"""Events, and short words for putting them into a store and asking it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from monitoring.event import Event, Value
from monitoring.store import Store, StoreWriter

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def event(number: int, at: datetime = NOON, **fields: Value) -> Event:
    stamp = at.isoformat(timespec="microseconds")[:26] + "Z"
    return Event(
        {
            "@timestamp": stamp,
            "event.ingested": stamp,
            "event.id": f"00000000-0000-5000-8000-{number:012d}",
            "event.original": f"line {number}",
            "message": f"line {number}",
            "host.name": f"h{number % 3}",
            **fields,
        }
    )


def numbers(store: Store, query: str = "", **options: Any) -> list[int]:
    return [int(e.id[-12:]) for e in store.search(query, limit=None, **options)]


def put(writer: StoreWriter, events: list[Event], checkpoint: dict[str, Any] | None = None) -> None:
    writer.write(events)
    writer.commit(checkpoint or {})
