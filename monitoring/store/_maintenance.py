"""Keeping the store in shape: many small segments become few, old ones go.

`plan` is pure; `run` carries it out. A merge writes a new segment, the manifest then names it in
place of its parts, and the parts are unlinked after a grace time, so a reader that still holds the
older manifest finds them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa

from monitoring.errors import StoreError
from monitoring.retention import Retention
from monitoring.store import _grams, _merging
from monitoring.store._manifest import Manifest, Segment
from monitoring.store._segment import write_tables

GRACE = timedelta(seconds=60)  # a query takes less
SETTLED = timedelta(minutes=2)  # after its end an hour gets no more segments but from a backlog
FAN_IN = (4, 8, 20)  # this many segments of level 0, 1, 2 become one of the next; the last is large enough to stay
LARGE = (8_192, 32_768)  # rows from which on a segment as written is of level 1, 2
WHOLE = 9  # level of what is merged for good
MOST_ROWS = 2_000_000  # a segment is not merged beyond this
ENOUGH_FOR_GRAMS = 16_384  # rows; less is read faster than looked up
DAY_ROWS = 1_000_000  # the hours of a quiet day become one segment


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    parts: tuple[Segment, ...]
    stream: str
    span: str  # folder of the result: yyyymmddhh or yyyymmdd
    level: int

    @property
    def file(self) -> str:
        """Named by what it is made of: the same merge writes the same name."""
        digest = hashlib.sha256("\n".join(p.file for p in self.parts).encode()).hexdigest()
        return f"{self.stream}/{self.span}/{digest[:32]}.parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What maintenance does to a manifest, whatever was written to it meanwhile."""

    added: tuple[Segment, ...] = ()
    retired: tuple[tuple[str, int], ...] = ()
    unlinked: frozenset[str] = frozenset()

    def applied_to(self, manifest: Manifest) -> Manifest:
        gone = {file for file, _ in self.retired}
        return replace(
            manifest,
            segments=(*(s for s in manifest.segments if s.file not in gone), *self.added),
            retired=(*(r for r in manifest.retired if r[0] not in self.unlinked), *self.retired),
        )


def run(
    folder: Path,
    retention: Retention,
    now: datetime,
    current: Callable[[], Manifest],
    apply: Callable[[Change], None],
    deletes_at: datetime,
) -> None:
    """One round. deletes_at: the time for retention, never later than `now`. Raises StoreError when a merge
    cannot be written; nothing is lost then."""
    now_us = _microseconds(now)
    unlinked = _unlink(folder, current(), now_us)
    if unlinked:
        apply(Change(unlinked=unlinked))
    gone = expired(current(), retention, deletes_at)
    if gone:
        apply(Change(retired=tuple((s.file, now_us) for s in gone)))
    for merge in plan(current(), now):
        added = carry_out(folder, merge)
        apply(Change(added=(added,), retired=tuple((p.file, now_us) for p in merge.parts)))


def plan(manifest: Manifest, now: datetime) -> list[Merge]:
    """The merges that are due, oldest span first."""
    by_span: dict[tuple[str, str], list[Segment]] = {}
    for segment in manifest.segments:
        by_span.setdefault((segment.stream, segment.hour), []).append(segment)
    merges: list[Merge] = []
    for (stream, span), segments in sorted(by_span.items()):
        settled = now >= end_of(span) + SETTLED
        merges += _settle(stream, span, segments) if settled else _levels(stream, span, segments)
    return [*merges, *_days(by_span, now, {(m.stream, m.span) for m in merges})]


def expired(manifest: Manifest, retention: Retention, now: datetime) -> list[Segment]:
    """Segments whose last received hour is longer ago than their stream is kept."""
    return [s for s in manifest.segments if end_of(s.hour) + retention.of(s.stream) < now]


def carry_out(folder: Path, merge: Merge) -> Segment:
    """Write the merged segment, newest first. Raises StoreError."""
    is_found = sum(p.rows for p in merge.parts) >= ENOUGH_FOR_GRAMS
    try:
        tables = _merging.newest_first(folder, merge.parts)
        return write_tables(folder, merge.file, tables, level=merge.level, is_found=is_found)
    except (pa.ArrowException, OSError) as error:
        where = (folder / merge.file).parent
        raise StoreError(f"segments could not be merged: {error}", where=where, fix="free disk space") from error
    finally:
        pa.default_memory_pool().release_unused()


def level_of(rows: int) -> int:
    """The level of a segment as written: what a backlog is stored in is as large as what was merged once or twice."""
    return sum(rows >= enough for enough in LARGE)


def end_of(span: str) -> datetime:
    """The end of a received hour (yyyymmddhh) or day (yyyymmdd)."""
    if len(span) == 8:
        return datetime.strptime(span, "%Y%m%d").replace(tzinfo=UTC) + timedelta(days=1)
    return datetime.strptime(span, "%Y%m%d%H").replace(tzinfo=UTC) + timedelta(hours=1)


def _levels(stream: str, span: str, segments: Iterable[Segment]) -> list[Merge]:
    """Merges of an hour that still grows: always of one level, so a row is rewritten few times."""
    merges = []
    for level, enough in enumerate(FAN_IN):
        parts = [s for s in segments if s.level == level and s.rows < MOST_ROWS]
        if len(parts) >= enough:
            merges.append(Merge(parts=_up_to(parts, MOST_ROWS), stream=stream, span=span, level=level + 1))
    return [m for m in merges if len(m.parts) > 1]


def _settle(stream: str, span: str, segments: Iterable[Segment]) -> list[Merge]:
    """The last merge of a span that is over."""
    small = sorted((s for s in segments if s.rows < MOST_ROWS // 2), key=lambda s: s.file)
    parts = _up_to(small, MOST_ROWS)
    return [Merge(parts=parts, stream=stream, span=span, level=WHOLE)] if len(parts) > 1 else []


def _days(by_span: Mapping[tuple[str, str], list[Segment]], now: datetime, busy: set[tuple[str, str]]) -> list[Merge]:
    """Hours of days that are over and were quiet."""
    days: dict[tuple[str, str], list[Segment]] = {}
    for (stream, span), segments in by_span.items():
        if now >= end_of(span[:8]) + SETTLED and (stream, span) not in busy:
            days.setdefault((stream, span[:8]), []).extend(segments)
    return [
        Merge(parts=tuple(sorted(parts, key=lambda s: s.file)), stream=stream, span=day, level=WHOLE)
        for (stream, day), parts in sorted(days.items())
        if len(parts) > 1 and sum(p.rows for p in parts) <= DAY_ROWS
    ]


def _up_to(segments: Iterable[Segment], rows: int) -> tuple[Segment, ...]:
    chosen: list[Segment] = []
    for segment in segments:
        if sum(s.rows for s in chosen) + segment.rows > rows:
            break
        chosen.append(segment)
    return tuple(chosen)


def _unlink(folder: Path, manifest: Manifest, now_us: int) -> frozenset[str]:
    """Remove files retired longer ago than the grace time; returns their names."""
    due = [file for file, at in manifest.retired if at + GRACE.total_seconds() * 1e6 <= now_us]
    for file in due:
        (folder / file).unlink(missing_ok=True)
        _grams.beside(folder / file).unlink(missing_ok=True)
    return frozenset(due)


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1_000_000)
