"""What any store answers: the one interface of readers, whichever store it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

from monitoring import ecs
from monitoring.errors import QueryError
from monitoring.event import Event
from monitoring.query import Node, parse

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Events of one span of a histogram; `value` is "" without `by`, and for events without that field."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Events of one span that have these values; "" stands for a field that is not there."""

    start: datetime
    values: tuple[str, ...]
    count: int
    first: datetime  # least `@timestamp`, at least to the millisecond
    last: datetime  # greatest


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which events: a query as read, from `start` (inclusive) to `end` (exclusive) of `@timestamp`; None: no bound."""

    node: Node
    start: datetime | None
    end: datetime | None


class EventStore(ABC):
    """Reads a store. May be used by several threads; costs nothing until the first question.

    Everywhere: `query` is a Lucene string ("" is everything), `start` is inclusive and `end`
    exclusive on `@timestamp`; QueryError for a query that cannot be read, StoreError for a store.
    What is asked is checked here, before anything is read; a store answers the methods with an underscore.
    """

    def search(
        self,
        query: str | Node = "",
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int | None = 100,
        fields: Sequence[str] = (),
    ) -> Iterator[Event]:
        """Events, newest first (by `@timestamp`, then id). limit None: all of them, as `scan` does.

        fields: only these (and those below them, "source" means all of source.*); none: all.
        """
        asked = _question(query, start, end)
        if limit is None:
            return self._scan(asked, tuple(fields), oldest_first=False)
        return self._search(asked, limit, tuple(fields))

    def scan(
        self,
        query: str | Node = "",
        start: datetime | None = None,
        end: datetime | None = None,
        fields: Sequence[str] = (),
        *,
        oldest_first: bool = False,
    ) -> Iterator[Event]:
        """Every event that fits, in order, in bounded memory however many there are."""
        return self._scan(_question(query, start, end), tuple(fields), oldest_first=oldest_first)

    def count(self, query: str | Node = "", start: datetime | None = None, end: datetime | None = None) -> int:
        return self._count(_question(query, start, end))

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
        if step < timedelta(milliseconds=1):
            raise QueryError("a histogram needs spans of a millisecond or more", fix="give a longer step")
        if by:
            _check_groups(by)
        return self._histogram(_question(query, start, end), step, by)

    def aggregate(
        self,
        field: str,
        query: str = "",
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int = 100,
    ) -> list[Group]:
        """The values of a field with their count and times, most frequent first."""
        _check_groups(field)
        return self._aggregate(_question(query, start, end), field, limit)

    def tally(
        self,
        fields: Sequence[str],
        query: str | Node = "",
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        step: timedelta,
    ) -> Iterator[Tally]:
        """Exact counts of each combination of values of `fields` in each span of `step`, in no order.

        Spans begin at multiples of `step` since 1970 UTC; each value of a list counts by itself.
        """
        for field in fields:
            _check_groups(field)
        return self._tally(_question(query, start, end), tuple(fields), step)

    @abstractmethod
    def get(self, ids: Sequence[str]) -> list[Event]:
        """Events by `event.id`, in the order asked; unknown ids are left out."""

    @abstractmethod
    def span(self) -> tuple[datetime, datetime] | None:
        """About the least and greatest `@timestamp` there is; None for an empty store."""

    @abstractmethod
    def _search(self, asked: Question, limit: int, fields: tuple[str, ...]) -> Iterator[Event]: ...

    @abstractmethod
    def _scan(self, asked: Question, fields: tuple[str, ...], *, oldest_first: bool) -> Iterator[Event]: ...

    @abstractmethod
    def _count(self, asked: Question) -> int: ...

    @abstractmethod
    def _histogram(self, asked: Question, step: timedelta, by: str) -> list[Bucket]: ...

    @abstractmethod
    def _aggregate(self, asked: Question, field: str, limit: int) -> list[Group]: ...

    def _tally(self, asked: Question, fields: tuple[str, ...], step: timedelta) -> Iterator[Tally]:
        """By reading the events; a store that can count by itself does."""
        found: dict[tuple[int, tuple[str, ...]], list[Any]] = {}
        for event in self._scan(asked, ("@timestamp", *fields), oldest_first=True):
            span = (event.timestamp - _EPOCH) // step
            for values in product(*(_values(event, field) for field in fields)):
                one = found.setdefault((span, values), [0, event.timestamp, event.timestamp])
                one[0], one[2] = one[0] + 1, event.timestamp
        for (span, values), (count, first, last) in found.items():
            yield Tally(start=_EPOCH + span * step, values=values, count=count, first=first, last=last)


def only(event: Event, fields: Sequence[str]) -> Event:
    """The asked fields of an event, and those below them; all without `fields`."""
    if not fields:
        return event
    return Event({n: v for n, v in event.fields.items() if any(n == f or n.startswith(f"{f}.") for f in fields)})


def _values(event: Event, field: str) -> list[str]:
    value = event.fields.get(field)
    values = value if isinstance(value, tuple) else (value,)
    return [_said(one) for one in values] or [""]


def _said(value: object) -> str:
    """A value as the stores say it."""
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _question(query: str | Node, start: datetime | None, end: datetime | None) -> Question:
    return Question(node=parse(query) if isinstance(query, str) else query, start=start, end=end)


def _check_groups(field: str) -> None:
    """Raises QueryError for a field that has no groups."""
    if ecs.field_type(field).kind == "text":
        raise QueryError(f"{field} is running text: it has no groups", fix="take a keyword: host.name, event.action")
