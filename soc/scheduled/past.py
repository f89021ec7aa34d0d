"""Scheduled rules over stored days: the scheduler itself, at each time a rule would have been due.

    store ► as it was then ► Runner with that clock ► what it raises, and how much of the past it could look at

A rule is due at whole multiples of its `every`. Before the first look that is told of, one more is made: what it
finds was told before and is not told again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice

from monitoring.event import Event
from monitoring.query import All, Between, Node, parse
from monitoring.store import EventStore, Tally
from soc.alert import Alert
from soc.scheduled.judge import history
from soc.scheduled.recount import Recount
from soc.scheduled.rule import Kind, Scheduled
from soc.scheduled.runner import SETTLE, Ran, Runner, present

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_MOST_BACK = 100  # looks, for one that found the store at work before the first that is told of


class Sight(StrEnum):
    """What a look can say."""

    JUDGED = "judged"
    SHORT = "short"  # judged, by less than the rule wants to look back at
    YOUNG = "young"  # not judged: its events are not stored for long enough before
    BEHIND = "behind"  # not judged: nothing had reached the store in the last minutes
    NOT_ASKED = "not-asked"  # there was no room or no time for this look


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One time a rule was due."""

    at: datetime
    sight: Sight
    alerts: tuple[Alert, ...]
    left_out: int = 0  # counts that did not fit


class AsOf:
    """A store as it was at `now`: without what it received since."""

    def __init__(self, store: EventStore) -> None:
        self.store, self.now = store, _EPOCH
        self._counted: dict[tuple[object, ...], int] = {}  # several rules ask the same at the same time

    def count(self, query: str | Node, start: datetime, end: datetime) -> int:
        asked = (query, start, end, self.now)
        if asked not in self._counted:
            self._counted[asked] = self.store.count(self._then(query), start, end)
        return self._counted[asked]

    def tally(
        self, fields: Sequence[str], query: str | Node, start: datetime, end: datetime, *, step: timedelta
    ) -> Iterator[Tally]:
        return self.store.tally(fields, self._then(query), start, end, step=step)

    def search(self, query: str | Node, start: datetime, end: datetime, limit: int) -> Iterator[Event]:
        """Nothing: the events an alert shows are not shown here, and reading them takes long."""
        return iter(())

    def _then(self, query: str | Node) -> Node:
        node = parse(query) if isinstance(query, str) else query
        return All((node, Between("event.ingested", None, self.now.isoformat(), True, False)))


class Rerun:
    """One rule, asked again from `start` on."""

    def __init__(self, rule: Scheduled, store: AsOf, start: datetime) -> None:
        """Raises StoreError."""
        self.rule, self._store = rule, store
        self._runner = Runner(store, Recount(), _Nobody(), clock=lambda: store.now)
        self.begin = self._first(start - rule.over)
        self.since = start  # where looks are to begin
        if rule.kind is Kind.RARE:  # what was told of a value may be as old as `over`, and is not told again
            self.since = min(start, max(self.begin or start, start - rule.over))
        self._run_in()

    def look(self, at: datetime) -> Look:
        """What the rule raises when it is asked at `at`; looks come in order. Raises StoreError."""
        if self.begin is None or at - SETTLE <= self.begin:  # there is nothing to ask for
            return Look(at=at, sight=Sight.YOUNG, alerts=())
        ran = self._ran(at)
        sight = Sight.BEHIND if ran.skipped else self._sight(at - SETTLE)
        return Look(at=at, sight=sight, alerts=ran.alerts, left_out=ran.left_out)

    def _ran(self, at: datetime) -> Ran:
        self._store.now = at
        return self._runner.run(self.rule)

    def _run_in(self) -> None:
        """The last look before: what it tells was told then."""
        if self.begin is None:
            return
        before = due(self.rule.every, self.since - self.rule.every * _MOST_BACK, self.since)
        for at in reversed(tuple(before)):
            if not self._ran(at).skipped:
                return

    def _first(self, start: datetime) -> datetime | None:
        """When the first event of the rule is stored, from `start` on."""
        events = self._store.store.scan(present(self.rule), start, None, ("@timestamp",), oldest_first=True)
        return next((event.timestamp for event in islice(events, 1)), None)

    def _sight(self, end: datetime) -> Sight:
        if self.begin is None or self.begin > end - history(self.rule):
            return Sight.YOUNG
        return Sight.SHORT if self.begin > end - self.rule.over + _DAY else Sight.JUDGED


def due(every: timedelta, start: datetime, end: datetime) -> Iterator[datetime]:
    """The whole multiples of `every` from `start` on, before `end`."""
    at = _EPOCH + -((_EPOCH - start) // every) * every
    while at < end:
        yield at
        at += every


class _Nobody:
    """A case store for what is not to be acted on."""

    def deliver(self, alerts: Iterable[Alert]) -> int:
        return 0
