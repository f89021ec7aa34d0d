"""Reading: a query over the segments that can hold an answer, newest events first.

Any process may read while the collector writes. A reader takes the manifest as it is at the start
of a query; a file that has gone since (merged or expired longer ago than the grace time) makes it
take the manifest again and go on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import duckdb

from monitoring import ecs
from monitoring.errors import QueryError, StoreError
from monitoring.event import Event
from monitoring.rows import id_octets
from monitoring.store import _columns, _duck, _grams, _manifest, _sql
from monitoring.store._answers import Bucket, EventStore, Group, Question, Tally, only
from monitoring.store._asked import (
    BEGINNING,
    END,
    Asked,
    Key,
    from_us,
    groups_of,
    key_of,
    marks_for,
    names_of,
    slices_of,
    us,
)
from monitoring.store._manifest import Manifest, Segment

PAGE = 2000  # rows of a search held at once
MOST_AT_ONCE = 16  # hours asked in one statement
MOST_KEPT = 48  # files
SLICE = 10_000  # rows of a scan held at once
_TIME = _duck.quoted(_columns.TIME)
_INGESTED = _duck.quoted(_columns.INGESTED)
T = TypeVar("T")


class Store(EventStore):
    """Reads the embedded store."""

    def __init__(self, data_dir: Path, *, memory: str = _duck.MEMORY, threads: int = _duck.THREADS) -> None:
        self._folder = Path(data_dir) / "store"
        self._memory, self._threads = memory, threads
        self._database: duckdb.DuckDBPyConnection | None = None
        self._kept: frozenset[str] = frozenset()  # files whose metadata the database has
        self._opening = Lock()

    def get(self, ids: Sequence[str]) -> list[Event]:
        if not ids:
            return []
        octets = [id_octets(text) for text in ids]
        where = f"{_columns.ID} IN ({marks_for(octets, '?::BLOB')})"
        asked = Asked(where, list(octets), BEGINNING, END, _grams.of_ids(octets))
        found = {id_octets(event.id): event for event in self._newest(asked, len(octets), ())}
        return [found[one] for one in dict.fromkeys(octets) if one in found]

    def span(self) -> tuple[datetime, datetime] | None:
        segments = self.manifest().segments
        if not segments:
            return None
        return from_us(min(s.min_us for s in segments)), from_us(max(s.max_us for s in segments))

    def manifest(self) -> Manifest:
        """What the store consists of now: segments, positions, counters."""
        return _manifest.load(self._folder)

    def _search(self, asked: Question, limit: int, fields: tuple[str, ...]) -> Iterator[Event]:
        return self._newest(Asked.of(asked), limit, fields)

    def _scan(self, asked: Question, fields: tuple[str, ...], *, oldest_first: bool) -> Iterator[Event]:
        return self._slices(Asked.of(asked), fields, oldest_first)

    def _count(self, asked: Question) -> int:
        rows = self._rows(Asked.of(asked), lambda source, where: f"SELECT count(*) FROM {source} WHERE {where}")  # noqa: S608
        return int(rows[0][0]) if rows else 0

    def _histogram(self, asked: Question, step: timedelta, by: str) -> list[Bucket]:
        value = _value_of(by) if by else "''"
        step_us = step // timedelta(microseconds=1)

        def sql(source: str, where: str) -> str:
            return (
                f"WITH chosen AS (SELECT epoch_us({_TIME}) // ? AS span, {value} AS value FROM {source} WHERE {where}) "  # noqa: S608
                "SELECT span, value, count(*) FROM chosen GROUP BY ALL ORDER BY ALL"
            )

        rows = self._rows(Asked.of(asked), sql, step_us)
        return [Bucket(start=from_us(span * step_us), value=value, count=count) for span, value, count in rows]

    def _aggregate(self, asked: Question, field: str, limit: int) -> list[Group]:
        def sql(source: str, where: str) -> str:
            return (
                f"WITH chosen AS (SELECT {_text_of(field)} AS value, {_TIME} AS seen, {_INGESTED} AS received "  # noqa: S608
                f"FROM {source} WHERE {where}) "
                "SELECT value, count(*) AS n, min(seen), max(seen), max(received) FROM chosen "
                f"WHERE value IS NOT NULL GROUP BY value ORDER BY n DESC, value LIMIT {int(limit)}"
            )

        rows = self._rows(Asked.of(asked), sql)
        return [
            Group(value=v, count=n, first=_utc(first), last=_utc(last), last_received=_utc(received))
            for v, n, first, last, received in rows
        ]

    def _tally(self, asked: Question, fields: tuple[str, ...], step: timedelta) -> Iterator[Tally]:
        if sum(ecs.field_type(field).is_list and ecs.field_type(field).is_column for field in fields) > 1:
            yield from super()._tally(asked, fields, step)  # two lists side by side would be paired
            return
        step_us = step // timedelta(microseconds=1)
        names = [f"v{n}" for n in range(len(fields))]

        def sql(source: str, where: str) -> str:
            values = ", ".join(f"{_value_of(field)} AS {name}" for field, name in zip(fields, names, strict=True))
            return (
                f"WITH chosen AS (SELECT epoch_us({_TIME}) // ? AS span, {_TIME} AS seen, {values} "  # noqa: S608
                f"FROM {source} WHERE {where}) "
                f"SELECT span, {', '.join(names)}, count(*), min(seen), max(seen) FROM chosen GROUP BY ALL"
            )

        for span, *values, count, first, last in self._rows(Asked.of(asked), sql, step_us):
            start = from_us(span * step_us)
            yield Tally(start=start, values=tuple(values), count=count, first=_utc(first), last=_utc(last))

    def _newest(self, asked: Asked, limit: int, fields: tuple[str, ...]) -> Iterator[Event]:
        left = limit
        after: Key | None = None
        while left > 0:
            size = min(left, PAGE)
            page = self._page(asked, size, after, fields)
            for row in page:
                yield only(_columns.event_of(row), fields)
            if len(page) < size:
                return
            after = key_of(page[-1])
            left -= size

    def _slices(self, asked: Asked, fields: tuple[str, ...], oldest_first: bool) -> Iterator[Event]:
        """Slice after slice of time, each of about SLICE rows; a denser one in pages."""
        slices = slices_of(asked.segments(self.manifest(), None), us(asked.start), us(asked.end), SLICE)
        names = names_of(fields)
        for low, high in slices if oldest_first else reversed(slices):
            part, after = asked.between(low, high), None
            while True:
                read = partial(self._sorted, asked=part, after=after, names=names, oldest_first=oldest_first)
                rows = self._retried(read)
                for row in rows:
                    yield only(_columns.event_of(dict(zip(names, row, strict=True))), fields)
                if len(rows) < SLICE:
                    break
                after = key_of(dict(zip(names, rows[-1], strict=True)))

    def _sorted(
        self, manifest: Manifest, asked: Asked, after: Key | None, names: list[str], oldest_first: bool
    ) -> list[tuple[Any, ...]]:
        """Up to SLICE rows of a slice, in order, behind `after`: these columns of them."""
        segments, where, values = asked.narrowed(self._folder, asked.segments(manifest, None))
        if not segments:
            return []
        if after is not None:
            sign = ">" if oldest_first else "<"
            where += f" AND ({_TIME} {sign} ? OR ({_TIME} = ? AND {_columns.ID} {sign} ?::BLOB))"
            values += [after[0], after[0], after[1]]
        database = self._connection(segments)
        order = f"{_TIME}, {_columns.ID}" if oldest_first else f"{_TIME} DESC, {_columns.ID} DESC"
        sql = (
            f"SELECT {', '.join(map(_duck.quoted, names))} FROM {_duck.source(database, self._folder, segments)} "  # noqa: S608
            f"WHERE {where} ORDER BY {order} LIMIT {SLICE}"
        )
        found: list[tuple[Any, ...]] = database.execute(sql, values).fetchall()
        return found

    def _page(self, asked: Asked, size: int, after: Key | None, fields: tuple[str, ...]) -> list[dict[str, Any]]:
        """The next rows before `after`, newest first: first which they are, then all of their columns."""

        def read(manifest: Manifest) -> list[dict[str, Any]]:
            segments = asked.segments(manifest, after)
            found = self._keys(asked, segments, size, after)
            rows = [row for group, keys in found for row in self._full(group, keys, fields)]
            return sorted(rows, key=key_of, reverse=True)

        return self._retried(read)

    def _keys(
        self, asked: Asked, segments: list[Segment], size: int, after: Key | None
    ) -> list[tuple[list[Segment], list[Key]]]:
        """Time and id of the newest rows, and which segments they are in.

        Some hours after some others, more at a time the longer nothing is found, until no older one can hold a newer.
        """
        found: list[tuple[Key, int]] = []
        chunks: list[list[Segment]] = []
        waiting, at_once = groups_of(segments), 1
        while waiting:
            groups, waiting = waiting[:at_once], waiting[at_once:]
            least = us(found[-1][0][0]) if len(found) >= size else None
            chunk = [s for group in groups for s in group if least is None or s.max_us >= least]
            chunk, where, values = asked.narrowed(self._folder, chunk)
            if chunk:
                if after is not None:
                    where += f" AND ({_TIME} < ? OR ({_TIME} = ? AND {_columns.ID} < ?::BLOB))"
                    values += [after[0], after[0], after[1]]
                database = self._connection(chunk)
                source = _duck.source(database, self._folder, chunk)
                sql = f"SELECT {_TIME}, {_columns.ID} FROM {source} WHERE {where} ORDER BY ALL DESC LIMIT {size}"  # noqa: S608
                found += [(key, len(chunks)) for key in database.execute(sql, values).fetchall()]
                chunks.append(chunk)
                found.sort(reverse=True)
                del found[size:]
            at_once = min(at_once * 2, MOST_AT_ONCE)
        return [(chunk, keys) for n, chunk in enumerate(chunks) if (keys := [key for key, at in found if at == n])]

    def _full(self, segments: list[Segment], keys: list[Key], fields: tuple[str, ...]) -> list[dict[str, Any]]:
        """The rows of some keys of some segments."""
        times = sorted({key[0] for key in keys})
        holding = [s for s in segments if any(s.min_us <= us(time) <= s.max_us for time in times)]
        names = names_of(fields)
        database = self._connection(holding)
        source = _duck.source(database, self._folder, holding)
        sql = (
            f"SELECT {', '.join(map(_duck.quoted, names))} FROM {source} "  # noqa: S608 - names of ours
            f"WHERE {_TIME} IN ({marks_for(times)}) AND {_columns.ID} IN ({marks_for(keys, '?::BLOB')})"
        )
        found = database.execute(sql, [*times, *(key[1] for key in keys)]).fetchall()
        return [dict(zip(names, row, strict=True)) for row in found]

    def _rows(self, asked: Asked, sql: Callable[[str, str], str], *values: Any) -> list[tuple[Any, ...]]:
        """The rows of a statement over all segments that matter. sql: its text, from what it selects from and where."""

        def read(manifest: Manifest) -> list[tuple[Any, ...]]:
            segments, where, more = asked.narrowed(self._folder, asked.segments(manifest, None))
            if not segments:
                return []
            database = self._connection(segments)
            statement = sql(_duck.source(database, self._folder, segments), where)
            found: list[tuple[Any, ...]] = database.execute(statement, [*values, *more]).fetchall()
            return found

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

    def _connection(self, segments: Sequence[Segment]) -> duckdb.DuckDBPyConnection:
        """A connection to read these segments; what it learns of few is kept, what was kept of many is let go."""
        files = {segment.file for segment in segments}
        keeps = len(files) <= MOST_KEPT
        with self._opening:
            if self._database is None or (keeps and len(self._kept | files) > MOST_KEPT):
                self._database = _duck.connect(memory=self._memory, threads=self._threads)
                self._kept = frozenset()
            if keeps:
                self._kept |= files
            return _duck.cursor_of(self._database, keep_metadata=keeps)


def _text_of(field: str) -> str:
    """A field's value as text; each value of a list by itself."""
    listed = ecs.field_type(field)
    if listed.is_list and listed.is_column:
        return f"unnest({_sql.column(field)})"
    return f"CAST({_sql.column(field)} AS VARCHAR)"


def _value_of(field: str) -> str:
    """A field's value as text, "" without one; each value of a list by itself."""
    listed = ecs.field_type(field)
    if listed.is_list and listed.is_column:
        values = _sql.column(field)
        return f"unnest(CASE WHEN len({values}) > 0 THEN {values} ELSE [''] END)"
    return f"coalesce({_text_of(field)}, '')"


def _utc(naive: datetime) -> datetime:
    return naive.replace(tzinfo=UTC)
