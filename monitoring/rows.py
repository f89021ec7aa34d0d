"""Events as columns before a store has them: plain buffers, made wherever an event is parsed.

Between `Event` and the embedded store's Arrow tables. Nothing here needs Arrow: a parser process makes the buffers
and sends them, the one who stores puts them together. What each column holds, `store._columns` says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple
from uuid import NAMESPACE_OID, UUID, uuid5

from canh_native import columns

from monitoring import ecs
from monitoring.event import Event, Value
from monitoring.retention import DEFAULT_STREAM, Retention

NO_HOUR = "1970010100"  # where an event without a received time goes
Buffers = tuple[bytes | None, ...]


class Rows(NamedTuple):
    """Events of one stream and one received hour. `columns`: what is in no event has no entry; see `canh_native`."""

    stream: str
    hour: str  # yyyymmddhh, UTC
    size: int
    columns: Mapping[str, Buffers]


def rows_of(events: Sequence[Mapping[str, Value]], retention: Retention) -> list[Rows]:
    """Fields of events as rows by stream and hour, in their order. A value its column cannot hold stands in `rest`."""
    parts: dict[tuple[str, str], list[dict[str, Value]]] = {}
    for fields in events:
        received = str(fields.get("event.ingested", ""))[:13]
        stream = retention.stream_of(Event(fields)) if retention.rules else DEFAULT_STREAM
        part = parts.get((stream, received))
        if part is None:
            part = parts[stream, received] = []
        part.append(fields if type(fields) is dict else dict(fields))
    return [
        Rows(stream, received.translate(_DIGITS) or NO_HOUR, len(part), columns_of(part))
        for (stream, received), part in parts.items()
    ]


def columns_of(events: list[dict[str, Value]]) -> Mapping[str, Buffers]:
    """The columns of events as they are."""
    made: Mapping[str, Buffers] = columns(_listed(), events, id_octets, _microseconds, _encode)
    return made


def id_octets(text: str) -> bytes:
    """`event.id` as 16 octets; an id that is no UUID gets one of its own."""
    try:
        return UUID(text).bytes
    except ValueError:
        return uuid5(NAMESPACE_OID, text).bytes


_DIGITS = {ord("-"): None, ord("T"): None}
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@cache
def _listed() -> list[tuple[str, str]]:
    return [(field.name, field.kind + "[]" * field.is_list) for field in ecs.columns()]


def _microseconds(text: str) -> int:
    """Of a moment written in a way that is not the pipeline's; 1970 is better than no event."""
    try:
        since = datetime.fromisoformat(text).astimezone(UTC) - _EPOCH
    except (ValueError, OverflowError):
        return 0
    return (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds
