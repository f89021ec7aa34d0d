"""Replay of scheduled rules: which of them a filter or a new rule is about, and what each side would have raised.

Both sides of a change are asked at the times they would have been due, side by side, so that they end at the same
time when there is no more time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from heapq import merge
from pathlib import Path

from monitoring.store import EventStore
from soc.alert import Alert
from soc.placeholders import Placeholders
from soc.rulesets._effect import MOST_ALERTS, Asked, Effect, Raised, compared
from soc.scheduled.filters import Written, files, filtered, in_force
from soc.scheduled.past import AsOf, Look, Rerun, Sight, due
from soc.scheduled.rule import Scheduled, load, read
from soc.sigma.rule import Refusal

MOST_LOOKS = 5_000  # of one rule; one that is asked each quarter of an hour is so for 52 days
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A scheduled rule before and after a change; None where it is not there, or switched off."""

    before: Scheduled | None
    after: Scheduled | None

    @property
    def rule(self) -> Scheduled:
        """The one to tell of."""
        found = self.after or self.before
        assert found is not None, "a pair has one of them"
        return found

    @property
    def sides(self) -> tuple[Scheduled | None, ...]:
        """Those that are asked: one when nothing changes."""
        both = (self.before, self.after) if self.before is not self.after else (self.after,)
        return tuple(one if one is not None and one.alerts else None for one in both)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledRules:
    """Those of the province: as they are written, and the filters in force."""

    written: tuple[Scheduled, ...] = ()
    filters: tuple[Written, ...] = ()

    @classmethod
    def of(cls, folders: Sequence[Path], placeholders: Placeholders, today: date) -> ScheduledRules:
        written, _ = load(folders, placeholders)
        return cls(written=written, filters=in_force(files(folders), today))

    def as_they_are(self, ids: set[str], placeholders: Placeholders) -> tuple[tuple[Pair, ...], tuple[Refusal, ...]]:
        """Those of `ids` with their filters, and what cannot be used with them."""
        chosen = [rule for rule in self.written if rule.id in ids]
        rules, refused = filtered(chosen, self.filters, placeholders)
        return tuple(Pair(before=rule, after=rule) for rule in rules), refused

    def with_files(
        self, given: Sequence[Path], placeholders: Placeholders, today: date
    ) -> tuple[tuple[Pair, ...], tuple[Refusal, ...]]:
        """What the rules and filters in `given` change, and what of it cannot be used."""
        new, refused = read(given, placeholders)
        filters = in_force(given, today)
        more = [one for one in filters if one not in self.filters]
        ids = {rule.id for rule in new}
        after = [*(rule for rule in self.written if rule.id not in ids), *new]
        before, old = filtered(self.written, self.filters, placeholders)
        done, bad = filtered(after, [*self.filters, *more], placeholders)
        known, now = ({rule.id: rule for rule in rules} for rules in (before, done))
        names = {name for one in filters for name in one.said.rules}
        ids |= {rule.id for rule in after if names & {rule.id, rule.name, rule.title}}
        pairs = [Pair(before=known.get(one), after=now.get(one)) for one in ids if one in now]
        ordered = tuple(sorted(pairs, key=lambda pair: (pair.rule.title, pair.rule.id)))
        worse = [replace(one, origin=more[0].said.origin) if more else one for one in bad if one not in old]
        return ordered, (*refused, *worse)


class Course:
    """A pair on its way through the stored days."""

    def __init__(self, pair: Pair, store: AsOf, start: datetime, end: datetime) -> None:
        """Raises StoreError."""
        self.pair, self._end = pair, end
        room = min(rule.every for rule in (pair.before, pair.after) if rule is not None) * MOST_LOOKS
        self._asked_from, self._start = start, max(start, end - room)
        self._raised: list[list[Raised]] = [[] for _ in pair.sides]
        self._asked = Asked()
        self._sides = [None if rule is None else Rerun(rule, store, self._start) for rule in pair.sides]

    def run(self, passed: Callable[[datetime], None], is_late: Callable[[], bool]) -> Effect:
        """Ask both sides. passed: called with the time reached; is_late: no time is left. Raises StoreError."""
        told_by = max((n for n, side in enumerate(self._sides) if side), default=0)  # after, when it is asked at all
        if (told := self._sides[told_by]) is not None:
            self._asked.begin = told.begin
            for at in due(told.rule.every, self._asked_from, self._start):
                self._note(at, Sight.NOT_ASKED)
        late, before = False, None
        for at, number, side in self._moments():
            late, before = late or (at != before and is_late()), at  # for both sides alike
            if late:
                if number == told_by and at >= self._start:
                    self._note(at, Sight.NOT_ASKED)
                continue
            look = side.look(at)
            if at >= self._start:
                self._take(look, number)
                if number == told_by:
                    self._note(at, look.sight)
            passed(at)
        (effect,) = compared([self.pair.rule], self._raised)
        effect.asked = self._asked
        return effect

    def _moments(self) -> Iterator[tuple[datetime, int, Rerun]]:
        def of(number: int, side: Rerun) -> Iterator[tuple[datetime, int, Rerun]]:
            return ((at, number, side) for at in due(side.rule.every, side.since, self._end))

        several = [of(number, side) for number, side in enumerate(self._sides) if side is not None]
        return merge(*several, key=lambda moment: moment[:2])

    def _note(self, at: datetime, sight: Sight) -> None:
        self._asked.by_day[f"{at:%Y-%m-%d}"][sight] += 1

    def _take(self, look: Look, number: int) -> None:
        room = MOST_ALERTS - len(self._raised[number])
        self._raised[number] += [_raised(alert) for alert in look.alerts[:room]]
        self._asked.left_out += look.left_out + max(0, len(look.alerts) - room)


def retold(
    pairs: Sequence[Pair],
    store: EventStore,
    start: datetime,
    end: datetime,
    *,
    passed: Callable[[Pair, datetime], None],
    is_late: Callable[[int], bool],
) -> Iterator[Effect]:
    """What each scheduled rule would have raised from `start` to `end`, before and after.

    passed: called with the time reached. is_late: whether the time of the pair of that number is over; the days it
    does not come to are told as such. Raises StoreError.
    """
    then = AsOf(store)
    for number, pair in enumerate(pairs):
        yield Course(pair, then, start, end).run(partial(passed, pair), partial(is_late, number))


def _raised(alert: Alert) -> Raised:
    group = alert.group
    return Raised(
        rule_id=alert.rule_id,
        key="further" if group and group[0][0] == "further" else json.dumps(group),
        device=alert.device,
        group=group,
        first_us=(alert.first_seen - _EPOCH) // _US,
        last_us=(alert.last_seen - _EPOCH) // _US,
        count=alert.count,
        raised_us=(alert.raised_at - _EPOCH) // _US,
    )
