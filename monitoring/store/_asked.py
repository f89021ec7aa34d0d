"""A question to the embedded store: which rows, of which segments, in which slices of time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from monitoring.store import _columns, _duck, _grams, _sql
from monitoring.store._answers import Question
from monitoring.store._manifest import Manifest, Segment

BEGINNING, END = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
_TIME = _duck.quoted(_columns.TIME)
Key = tuple[datetime, bytes]  # of a row: its time, naive UTC, and its id; newest first is greatest first


class Asked:
    """A question: condition, its values, and the span of time, naive UTC as the columns are."""

    def __init__(
        self, condition: str, values: list[Any], start: datetime, end: datetime, need: _grams.Need | None = None
    ) -> None:
        """need: without which no event fits; None when that is not known."""
        self._condition, self._values, self._need = condition, values, need
        self.start, self.end = (moment.astimezone(UTC).replace(tzinfo=None) for moment in (start, end))

    @classmethod
    def of(cls, question: Question) -> Asked:
        where, values = _sql.condition(question.node, now=datetime.now(UTC))
        start, end = question.start or BEGINNING, question.end or END
        return cls(where, values, start, end, _grams.need_of(question.node))

    def between(self, low_us: int, high_us: int) -> Asked:
        """The same question of a part of the time."""
        return Asked(self._condition, self._values, from_us(low_us), from_us(high_us), self._need)

    def narrowed(self, folder: Path, segments: Sequence[Segment]) -> tuple[list[Segment], str, list[Any]]:
        """The segments that can hold an answer, and the condition on their rows with its values.

        A needle is asked for only at the times at which it can be there, as far as that is known.
        """
        where, values = f"{_TIME} >= ? AND {_TIME} < ? AND ({self._condition})", [self.start, self.end, *self._values]
        if self._need is None:
            return list(segments), where, values
        kept: list[Segment] = []
        several: list[_grams.Span] = []
        is_narrow = False
        for segment in segments:
            spans = _grams.spans(folder / segment.file, self._need)
            is_narrow |= spans is not None
            if spans is None or spans:
                kept.append(segment)
                several += [(segment.min_us, segment.max_us)] if spans is None else spans
        if is_narrow and kept:
            spans = _grams.joined(several)
            where += f" AND ({' OR '.join([f'{_TIME} BETWEEN ? AND ?'] * len(spans))})"
            values += [from_us(end).replace(tzinfo=None) for span in spans for end in span]
        return kept, where, values

    def segments(self, manifest: Manifest, after: Key | None) -> list[Segment]:
        """Those whose times overlap the span."""
        least, end = us(self.start), us(self.end)
        greatest = end - 1 if after is None else min(us(after[0]), end - 1)
        return [s for s in manifest.segments if s.max_us >= least and s.min_us <= greatest]


def slices_of(segments: Sequence[Segment], low: int, high: int, rows: int) -> list[tuple[int, int]]:
    """[low, high) microseconds cut so that each part holds about `rows` rows, oldest first.

    A segment's rows are taken to be spread evenly over its times.
    """
    changes: dict[int, float] = {}
    for segment in segments:
        density = segment.rows / (segment.max_us - segment.min_us + 1)
        changes[segment.min_us] = changes.get(segment.min_us, 0.0) + density
        changes[segment.max_us + 1] = changes.get(segment.max_us + 1, 0.0) - density
    points = sorted(changes)
    if not points:
        return []
    cuts: list[int] = []
    density = held = 0.0
    for begin, end in pairwise(points):
        density = max(density + changes[begin], 0.0)
        filled = begin
        while held + density * (end - filled) >= rows:
            filled = min(filled + max(int((rows - held) / density), 1), end)
            cuts.append(filled)
            held = 0.0
        held += density * (end - filled)
    ends = sorted({low, high, *(cut for cut in cuts if low < cut < high)})
    return list(pairwise(ends))


def key_of(row: dict[str, Any]) -> Key:
    return row[_columns.TIME], row[_columns.ID]


def groups_of(segments: list[Segment]) -> list[list[Segment]]:
    """Segments by stream-independent hour, the ones that reach latest first."""
    hours: dict[str, list[Segment]] = {}
    for segment in segments:
        hours.setdefault(segment.hour, []).append(segment)
    return sorted(hours.values(), key=lambda group: max(s.max_us for s in group), reverse=True)


def marks_for(values: Sequence[object], mark: str = "?") -> str:
    return ", ".join([mark] * len(values))


def names_of(fields: Sequence[str]) -> list[str]:
    """The columns that events with these fields are made of; without any, all of them."""
    columns = [field.name for field in _columns.schema() if not field.name.endswith("#n")]
    if not fields:
        return columns
    wanted = {_columns.TIME, _columns.ID, *(n for n in columns if any(n == f or n.startswith(f"{f}.") for f in fields))}
    if "message" in wanted:
        wanted |= {"event.original", _columns.LENGTH}
    if not wanted.issuperset({*fields} - {"event.id"}):  # the JSON holds what is no column, and what lies below a name
        wanted.add(_columns.REST)
    return [name for name in columns if name in wanted]


def us(naive: datetime) -> int:
    return (naive.replace(tzinfo=UTC) - BEGINNING) // timedelta(microseconds=1)


def from_us(microseconds: int) -> datetime:
    return BEGINNING + timedelta(microseconds=microseconds)
