"""Reading: a query over the segments that can hold an answer, newest events first.

Any process may read while the collector writes. A reader takes the manifest as it is at the start
of a query; a file that has gone since (merged or expired longer ago than the grace time) makes it
take the manifest again and go on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import duckdb

from monitoring import ecs
from monitoring.errors import QueryError, StoreError
from monitoring.event import Event
from monitoring.query import Node, parse
from monitoring.store import _columns, _duck, _manifest, _sql
from monitoring.store._manifest import Manifest, Segment

PAGE = 2000  # rows held at once
BEGINNING, END = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
_TIME = _duck.quoted(_columns.TIME)
_INGESTED = _duck.quoted(_columns.INGESTED)
T = TypeVar("T")
_Key = tuple[datetime, bytes]  # of a row: its time, naive UTC, and its id; newest first is greatest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Events of one span of a histogram; `value` is "" without `by`."""

    start: datetime
    value: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Events that have one value of a field."""

    value: str
    count: int
    first: datetime  # least `@timestamp`
    last: datetime  # greatest `@timestamp`
    last_received: datetime  # greatest `event.ingested`


class Store:
    """Reads a store. May be used by several threads; costs nothing until the first query.

    Everywhere: `query` is a Lucene string ("" is everything), `start` is inclusive and `end`
    exclusive on `@timestamp`; QueryError for a query that cannot be read, StoreError for a store.
    """

    def __init__(self, data_dir: Path, *, memory: str = _duck.MEMORY, threads: int = _duck.THREADS) -> None:
        self._folder = Path(data_dir) / "store"
        self._memory, self._threads = memory, threads
        self._database: duckdb.DuckDBPyConnection | None = None
        self._opening = Lock()

    def search(
        self,
        query: str = "",
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int | None = 100,
        fields: Sequence[str] = (),
    ) -> Iterator[Event]:
        """Events, newest first (by `@timestamp`, then id). limit None: all of them, a page at a time.

        fields: only these (and those below them, "source" means all of source.*); none: all.
        """
        asked = _Asked.of(query, start, end)
        return self._search(asked, limit, tuple(fields))

    def count(self, query: str = "", start: datetime | None = None, end: datetime | None = None) -> int:
        rows = self._rows(_Asked.of(query, start, end), "SELECT count(*) FROM {source} WHERE {where}", [])
        return int(rows[0][0]) if rows else 0

    def histogram(
        self,
        query: str = "",
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        step: timedelta,
        by: str = "",
    ) -> list[Bucket]:
        """How many events in each span of `step`, oldest first; empty spans are left out.

        by: also by the value of this field. Spans begin at multiples of `step` since 1970 UTC.
        """
        value = f"coalesce({_text_of(by)}, '')" if by else "''"
        octets = int(step.total_seconds() * 1_000_000)
        if octets <= 0:
            raise QueryError("a histogram needs spans longer than nothing", fix="give a positive step")
        sql = (
            f"SELECT epoch_us({_TIME}) // ? AS span, {value} AS value, count(*) "  # noqa: S608 - names are quoted
            "FROM {source} WHERE {where} GROUP BY ALL ORDER BY ALL"
        )
        rows = self._rows(_Asked.of(query, start, end), sql, [octets])
        return [Bucket(start=_from_us(span * octets), value=value, count=count) for span, value, count in rows]

    def aggregate(
        self,
        field: str,
        query: str = "",
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 100,
    ) -> list[Group]:
        """The values of a field with their count and times, most frequent first."""
        sql = (
            f"WITH chosen AS (SELECT {_text_of(field)} AS value, {_TIME} AS seen, {_INGESTED} AS received "  # noqa: S608
            "FROM {source} WHERE {where}) "
            "SELECT value, count(*) AS n, min(seen), max(seen), max(received) FROM chosen "
            f"WHERE value IS NOT NULL GROUP BY value ORDER BY n DESC, value LIMIT {int(limit)}"
        )
        rows = self._rows(_Asked.of(query, start, end), sql, [])
        return [
            Group(value=v, count=n, first=_utc(first), last=_utc(last), last_received=_utc(received))
            for v, n, first, last, received in rows
        ]

    def get(self, ids: Sequence[str]) -> list[Event]:
        """Events by `event.id`, in the order asked; unknown ids are left out."""
        if not ids:
            return []
        octets = [_columns.id_octets(text) for text in ids]
        marks = ", ".join(["?::BLOB"] * len(octets))
        asked = _Asked(f"{_columns.ID} IN ({marks})", octets, BEGINNING, END)
        found = {event.id: event for event in self._search(asked, len(octets), ())}
        return [found[text] for text in dict.fromkeys(ids) if text in found]

    def manifest(self) -> Manifest:
        """What the store consists of now: segments, positions, counters."""
        return _manifest.load(self._folder)

    def _search(self, asked: _Asked, limit: int | None, fields: tuple[str, ...]) -> Iterator[Event]:
        left = limit
        after: _Key | None = None
        while left is None or left > 0:
            size = PAGE if left is None else min(left, PAGE)
            page = self._page(asked, size, after)
            for row in page:
                yield _only(_columns.event_of(row), fields)
            if len(page) < size:
                return
            after = _key_of(page[-1])
            left = None if left is None else left - size

    def _page(self, asked: _Asked, size: int, after: _Key | None) -> list[dict[str, Any]]:
        """The next rows before `after`, newest first: first which they are, then all of their columns."""

        def read(manifest: Manifest) -> list[dict[str, Any]]:
            segments = asked.segments(manifest, after)
            keys = self._keys(asked, segments, size, after)
            return self._full(segments, keys) if keys else []

        return self._retried(read)

    def _keys(self, asked: _Asked, segments: list[Segment], size: int, after: _Key | None) -> list[_Key]:
        """Time and id of the newest rows: hour by hour, until no older hour can hold a newer one."""
        keys: list[_Key] = []
        where, values = asked.where, [asked.start, asked.end, *asked.values]
        if after is not None:
            where += f" AND ({_TIME} < ? OR ({_TIME} = ? AND {_columns.ID} < ?::BLOB))"
            values += [after[0], after[0], after[1]]
        database = self._connection()
        for group in _groups(segments):
            if len(keys) >= size and _us(keys[-1][0]) > max(s.max_us for s in group):
                continue
            source = _duck.source(database, self._folder, group)
            sql = f"SELECT {_TIME}, {_columns.ID} FROM {source} WHERE {where} ORDER BY ALL DESC LIMIT {size}"  # noqa: S608
            keys += database.execute(sql, values).fetchall()
            keys.sort(reverse=True)
            del keys[size:]
        return keys

    def _full(self, segments: list[Segment], keys: list[_Key]) -> list[dict[str, Any]]:
        """The rows of some keys, in their order."""
        first, last = keys[-1][0], keys[0][0]
        holding = [s for s in segments if s.min_us <= _us(last) and s.max_us >= _us(first)]
        names = [field.name for field in _columns.schema() if not field.name.endswith("#n")]
        database = self._connection()
        source = _duck.source(database, self._folder, holding)
        marks = ", ".join(["?::BLOB"] * len(keys))
        sql = (
            f"SELECT {', '.join(map(_duck.quoted, names))} FROM {source} "  # noqa: S608 - names of ours
            f"WHERE {_TIME} >= ? AND {_TIME} <= ? AND {_columns.ID} IN ({marks})"
        )
        found = database.execute(sql, [first, last, *(key[1] for key in keys)]).fetchall()
        rows = [dict(zip(names, row, strict=True)) for row in found]
        rows.sort(key=_key_of, reverse=True)
        return rows

    def _rows(self, asked: _Asked, sql: str, values: list[Any]) -> list[tuple[Any, ...]]:
        """The rows of a statement over all segments that matter; {source} and {where} are filled in."""

        def read(manifest: Manifest) -> list[tuple[Any, ...]]:
            segments = asked.segments(manifest, None)
            if not segments:
                return []
            database = self._connection()
            statement = sql.replace("{source}", _duck.source(database, self._folder, segments))
            statement = statement.replace("{where}", asked.where)
            rows: list[tuple[Any, ...]] = database.execute(
                statement, [*values, asked.start, asked.end, *asked.values]
            ).fetchall()
            return rows

        return self._retried(read)

    def _retried(self, read: Callable[[Manifest], T]) -> T:
        for attempt in (1, 2, 3):
            try:
                return read(_manifest.load(self._folder))
            except duckdb.IOException as error:
                if attempt == 3:
                    raise StoreError(f"the store cannot be read: {error}", where=self._folder) from error
            except duckdb.OutOfMemoryException as error:
                raise StoreError("the question needs more memory than allowed", fix="ask for a shorter time") from error
            except duckdb.Error as error:
                raise QueryError(f"the query cannot be run: {error}") from error
        raise AssertionError  # not reached

    def _connection(self) -> duckdb.DuckDBPyConnection:
        with self._opening:
            if self._database is None:
                self._database = _duck.connect(memory=self._memory, threads=self._threads)
            return self._database.cursor()


class _Asked:
    """A question: condition, its values, and the span of time, naive UTC as the columns are."""

    def __init__(self, where: str, values: list[Any], start: datetime, end: datetime) -> None:
        self.where = f"{_TIME} >= ? AND {_TIME} < ? AND ({where})"
        self.values = values
        self.start, self.end = (moment.astimezone(UTC).replace(tzinfo=None) for moment in (start, end))

    @classmethod
    def of(cls, query: str | Node, start: datetime | None, end: datetime | None) -> _Asked:
        node = parse(query) if isinstance(query, str) else query
        where, values = _sql.condition(node, now=datetime.now(UTC))
        return cls(where, values, start or BEGINNING, end or END)

    def segments(self, manifest: Manifest, after: _Key | None) -> list[Segment]:
        """Those whose times overlap the span."""
        least, greatest = _us(self.start), _us(self.end if after is None else min(after[0], self.end))
        return [s for s in manifest.segments if s.max_us >= least and s.min_us <= greatest]


def _key_of(row: dict[str, Any]) -> _Key:
    return row[_columns.TIME], row[_columns.ID]


def _groups(segments: list[Segment]) -> list[list[Segment]]:
    """Segments by stream-independent hour, the ones that reach latest first."""
    hours: dict[str, list[Segment]] = {}
    for segment in segments:
        hours.setdefault(segment.hour, []).append(segment)
    return sorted(hours.values(), key=lambda group: max(s.max_us for s in group), reverse=True)


def _only(event: Event, fields: tuple[str, ...]) -> Event:
    if not fields:
        return event
    return Event({n: v for n, v in event.fields.items() if any(n == f or n.startswith(f"{f}.") for f in fields)})


def _text_of(field: str) -> str:
    """A field's value as text; each value of a list by itself."""
    listed = ecs.field_type(field)
    if listed.is_list and listed.is_column:
        return f"unnest({_sql.column(field)})"
    return f"CAST({_sql.column(field)} AS VARCHAR)"


def _us(naive: datetime) -> int:
    return (naive.replace(tzinfo=UTC) - BEGINNING) // timedelta(microseconds=1)


def _from_us(microseconds: int) -> datetime:
    return BEGINNING + timedelta(microseconds=microseconds)


def _utc(naive: datetime) -> datetime:
    return naive.replace(tzinfo=UTC)
