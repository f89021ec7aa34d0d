"""Scheduled rules over stored days: what the scheduler would have raised, and what nobody can know."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.event import Event
from monitoring.query import All, Any, Between, Everything, Exists, Node, Term
from monitoring.store import EventStore, Store, StoreWriter
from monitoring.store._answers import Bucket, Group, Question
from soc.alert import Alert
from soc.rulesets import Effect, Pair, _asked, retold
from soc.scheduled import Counts, Runner, Scheduled
from soc.scheduled.past import AsOf, Rerun, Sight, due
from tests.unit.soc.test_scheduled import DAY, HOUR, NOW, history, login, rule

START = datetime(2026, 3, 1, tzinfo=UTC)
Told = tuple[object, ...]


class Listed(EventStore):
    """A store that is a list."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events

    def span(self) -> tuple[datetime, datetime] | None:
        times = [event.timestamp for event in self.events]
        return (min(times), max(times)) if times else None

    def _scan(self, asked: Question, fields: tuple[str, ...], *, oldest_first: bool) -> Iterator[Event]:
        low, high = asked.start or datetime.min.replace(tzinfo=UTC), asked.end or datetime.max.replace(tzinfo=UTC)
        fits = [e for e in self.events if low <= e.timestamp < high and holds(asked.node, e)]
        return iter(sorted(fits, key=lambda e: (e.timestamp, e.id), reverse=not oldest_first))

    def _search(self, asked: Question, limit: int, fields: tuple[str, ...]) -> Iterator[Event]:
        return iter(list(self._scan(asked, fields, oldest_first=False))[:limit])

    def _count(self, asked: Question) -> int:
        return len(list(self._scan(asked, (), oldest_first=True)))

    def get(self, ids: object) -> list[Event]:
        raise NotImplementedError

    def _histogram(self, asked: Question, step: timedelta, by: str) -> list[Bucket]:
        raise NotImplementedError

    def _aggregate(self, asked: Question, field: str, limit: int) -> list[Group]:
        raise NotImplementedError


def holds(node: Node, event: Event) -> bool:
    """Of the nodes these rules are made of."""
    match node:
        case Everything():
            return True
        case All(nodes):
            return all(holds(one, event) for one in nodes)
        case Any(nodes):
            return any(holds(one, event) for one in nodes)
        case Exists(field):
            return field in event.fields
        case Term(field, value):
            there = event.fields.get(field, ())
            return value in (there if isinstance(there, tuple) else (there,))
        case Between("event.ingested", None, str(high), _, False):
            return event.received < datetime.fromisoformat(high)
    raise AssertionError(node)


def told(alert: Alert) -> Told:
    return alert.id, alert.group, alert.count, alert.first_seen, alert.last_seen, alert.raised_at


def live(which: Scheduled, events: list[Event], start: datetime, end: datetime) -> list[Told]:
    """What the scheduler raised while these events came in, each when it was received."""
    raised: list[Told] = []
    there = Listed([])
    now = start

    class Cases:
        def deliver(self, alerts: object) -> int:
            return 0

    with TemporaryDirectory() as place, closing(Counts.below(Path(place))) as counts:
        runner = Runner(there, counts, Cases(), clock=lambda: now)
        for now in due(which.every, start, end):
            there.events = [event for event in events if event.received < now]
            for one in runner.due([which]):
                raised += map(told, runner.run(one).alerts)
    return raised


def again(which: Scheduled, store: EventStore, start: datetime, end: datetime) -> list[Told]:
    """What replay says was raised from `start` on."""
    past = Rerun(which, AsOf(store), start)
    looks = [past.look(at) for at in due(which.every, past.since, end)]
    return [told(alert) for look in looks if look.at >= start for alert in look.alerts]


KINDS = {
    "first_seen": rule(every="3h", over="5d", learn="1d"),
    "rare": rule("rare", every="3h", over="5d", learn="1d", at_most=2),
    "absent": rule("absent", every="3h", over="5d", learn="1d", silent_for="8h"),
    "fell": rule("fell", every="6h", over="35d", learn="7d", at_least=1, below_pct=60),
    "many": rule(every="3h", over="5d", learn="1d", most=1),
}
EVENTS = st.lists(
    st.tuples(
        st.integers(0, 12 * 24 * 60 - 1),  # minute
        st.sampled_from(["r1", "r2"]),
        st.sampled_from(["an", "binh", "chi", "dung"]),
        st.sampled_from([0, 0, 0, 5, 100]),  # minutes on its way
    ),
    min_size=10,
    max_size=40,
)


@pytest.mark.parametrize("kind", KINDS)
@given(made=EVENTS, begin=st.integers(0, 11), gap=st.integers(0, 12 * 8))
@settings(max_examples=6, deadline=None)
def test_replay_raises_what_the_scheduler_raised(
    kind: str, made: list[tuple[int, str, str, int]], begin: int, gap: int
) -> None:
    """From any day on; with events that come late, and hours in which nothing reached the store."""
    which = KINDS[kind]
    stretch = 3 if kind == "fell" else 1  # weeks are needed
    end = START + 12 * stretch * DAY
    events = [
        login(at, user, host, received=at + timedelta(minutes=late))
        for minute, host, user, late in made
        for at in [START + timedelta(minutes=minute) * stretch]
    ]
    if kind == "fell":  # the same hours week by week, or there is nothing usual
        events += [
            login(START + 7 * DAY * week + 6 * HOUR * n, "an") for week in range(4) for n in range(28 - 7 * week)
        ]
    looks = list(due(which.every, START, end))
    events += [
        login(at - timedelta(minutes=3), "x", "alive", more={"event.action": "other"})
        for number, at in enumerate(looks)
        if not gap <= number < gap + 3
    ]
    start = START + begin * stretch * DAY
    raised = [one for one in live(which, events, START, end) if one[-1] >= start]  # type: ignore[operator]
    assert again(which, Listed(events), start, end) == raised


def alive(days: int) -> list[Event]:
    """Something of everything each quarter of an hour, up to NOW."""
    quarters = (NOW - timedelta(minutes=15 * n + 2) for n in range(days * 96))
    return [login(at, "x", "elsewhere", more={"event.action": "other"}) for at in quarters]


def days_of(events: list[Event], pair: Pair, days: int, store: EventStore | None = None) -> Effect:
    (effect,) = retold(
        [pair], store or Listed(events), NOW - days * DAY, NOW, passed=lambda *_: None, is_late=lambda _: False
    )
    return effect


def same(which: Scheduled) -> Pair:
    return Pair(before=which, after=which)


def test_days_without_enough_history_are_unknown_and_not_clean() -> None:
    which = rule(over="20d")
    effect = days_of([*history(10), *alive(14), login(NOW - 2 * HOUR, "minh")], same(which), 14)
    assert effect.alerts == [1, 1] and effect.asked is not None and effect.asked.begin == NOW - 9 * DAY - HOUR
    told = {day: set(looks) for day, looks in effect.asked.by_day.items()}
    assert told["2026-03-17"] == told["2026-03-28"] == {Sight.YOUNG}
    assert told["2026-03-29"] == {Sight.YOUNG, Sight.SHORT}  # seven days it learns
    assert told["2026-03-31"] == {Sight.SHORT}  # it wants to look back at twenty
    assert not effect.asked.is_whole
    assert sum(looks.total() for looks in effect.asked.by_day.values()) == 14 * 24


def test_hours_in_which_nothing_reached_the_store_are_unknown() -> None:
    events = [one for one in alive(40) if not NOW - 30 * HOUR < one.timestamp < NOW - 20 * HOUR]
    effect = days_of([*history(40), *events], same(rule()), 5)
    assert effect.asked is not None
    assert {day: looks[Sight.BEHIND] for day, looks in effect.asked.by_day.items() if looks[Sight.BEHIND]} == {
        "2026-03-30": 10
    }


def test_what_was_told_before_is_not_told_again() -> None:
    gone = history(20, host="r9")[5:]  # silent for days when the replay begins
    pair = same(rule("absent", silent_for="30h"))
    assert days_of([*history(20), *gone, *alive(20)], pair, 2).alerts == [0, 0]
    assert days_of([*history(20), *gone, *alive(20)], pair, 8).alerts == [1, 1]


def test_a_rule_that_is_due_too_often_is_asked_of_the_last_days(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_asked, "MOST_LOOKS", 24)
    effect = days_of([*history(40), *alive(40), login(NOW - 30 * HOUR, "minh")], same(rule()), 3)
    assert effect.alerts == [0, 0] and effect.asked is not None
    looks = effect.asked.by_day.values()
    assert sum(one[Sight.NOT_ASKED] for one in looks) == 48
    assert sum(one.total() - one[Sight.NOT_ASKED] for one in looks) == 24


def test_both_sides_end_when_the_time_is_over() -> None:
    """A side that was asked longer would look as if a change silenced something."""
    left = iter([False] * 30)
    events = [*history(40), *alive(40), *(login(NOW - 50 * HOUR + n * HOUR, f"u{n:02d}") for n in range(40))]
    pair = Pair(before=rule(), after=rule(every="2h"))
    (effect,) = retold(
        [pair], Listed(events), NOW - 3 * DAY, NOW, passed=lambda *_: None, is_late=lambda _: next(left, True)
    )
    assert effect.alerts[0] == effect.alerts[1] > 0
    assert (effect.silenced, effect.added) == (0, 0)
    assert effect.asked is not None
    assert sum(looks[Sight.NOT_ASKED] for looks in effect.asked.by_day.values()) == 36 - 15


def test_what_there_is_no_room_for_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_asked, "MOST_ALERTS", 2)
    new = [login(NOW - 10 * HOUR + n * HOUR, f"u{n}") for n in range(6)]
    effect = days_of([*history(40), *alive(40), *new], same(rule()), 2)
    assert effect.alerts == [2, 2] and effect.asked is not None and effect.asked.left_out == 4


def test_the_embedded_store_is_asked_the_same(tmp_path: Path) -> None:
    late = login(NOW - 5 * HOUR, "lan", received=NOW - 3 * HOUR)
    gone = history(20, host="r2")[1:]
    events = [*history(20), *gone, *alive(20), late, login(NOW - 4 * HOUR, "minh")]
    with closing(StoreWriter(tmp_path)) as writer:
        writer.write(events)
        writer.commit({})
    for which in (KINDS["first_seen"], rule("absent", every="12h", silent_for="30h")):
        raised = again(which, Store(tmp_path), NOW - DAY, NOW)
        assert raised and raised == again(which, Listed(events), NOW - DAY, NOW)
