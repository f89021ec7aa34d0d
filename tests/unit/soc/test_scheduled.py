"""Scheduled rules: what they choose, how it is judged, and that asking again changes nothing."""

from __future__ import annotations

import json
import random
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring.errors import StoreError
from monitoring.event import Event, Value
from monitoring.store import Store, StoreWriter
from soc.cases import CaseStore
from soc.placeholders import Placeholders
from soc.scheduled import Runner, Scheduled
from soc.scheduled.condition import _widest, node_of
from soc.scheduled.counts import Counts
from soc.scheduled.judge import Count, judged
from soc.scheduled.rule import ScheduleError, load, scheduled_of
from soc.sigma.matcher import Matcher, encode
from soc.sigma.rule import Origin
from tests.unit.soc.engine_support import rules_of

NOW = datetime(2026, 3, 31, 12, 30, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def document(kind: str = "first_seen", **changes: object) -> dict[str, object]:
    asked: dict[str, object] = {"kind": kind, "group-by": ["host.name"], "every": "1h"}
    asked |= {"field": "user.name"} if kind in ("first_seen", "rare") else {}
    asked |= {"silent_for": "6h"} if kind == "absent" else {}
    return {
        "title": "T",
        "id": "11111111-1111-4111-8111-111111111111",
        "level": "high",
        "logsource": {"category": "authentication"},
        "detection": {"selection": {"event.action": "login"}, "condition": "selection"},
        "canh": {"scheduled": asked | changes},
    }


def rule(kind: str = "first_seen", placeholders: Placeholders | None = None, **changes: object) -> Scheduled:
    said = document(kind, **changes)
    return scheduled_of(said, Origin(path=Path("rule.yml")), json.dumps(said), placeholders or {})


_ids = iter(range(10**9))


def login(
    at: datetime,
    user: str = "lan",
    host: str = "r1",
    *,
    received: datetime | None = None,
    more: dict[str, Value] | None = None,
) -> Event:
    fields: dict[str, Value] = {
        "event.id": f"00000000-0000-4000-8000-{next(_ids):012d}",
        "@timestamp": at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "event.ingested": (received or at).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "event.action": "login",
        "event.category": ("authentication",),
        "event.original": "x",
        "host.name": host,
        "user.name": user,
        "canh.site": "hh",
    }
    return Event(fields | (more or {}))


class Place:
    """A store, a case store, a clock."""

    def __init__(self, tmp_path: Path) -> None:
        self.path, self.now, self.cases = tmp_path, NOW, CaseStore(tmp_path)

    def put(self, *events: Event) -> None:
        """Store these, and something else that was just received."""
        self.store(*events, self.alive())

    def store(self, *events: Event) -> None:
        with closing(StoreWriter(self.path)) as writer:
            writer.write(list(events))
            writer.commit({})

    def alive(self) -> Event:
        """Something else that was just received."""
        return login(self.now - timedelta(minutes=2), "x", "elsewhere", more={"event.action": "other"})

    def run(self, which: Scheduled) -> list[tuple[str, ...]]:
        """What a run raises: the values of each alert's group."""
        with closing(Counts.below(self.path)) as counts:
            runner = Runner(Store(self.path), counts, self.cases, clock=lambda: self.now)
            return [tuple(value for _, value in alert.group) for alert in runner.run(which).alerts]


def history(days: int, user: str = "lan", host: str = "r1") -> list[Event]:
    return [login(NOW - DAY * n - HOUR, user, host) for n in range(1, days)]


def test_a_new_value_is_told_once_and_a_known_one_not(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.put(*history(20), login(NOW - timedelta(minutes=20), "minh"), login(NOW - timedelta(minutes=9), "lan"))
    assert place.run(rule()) == [("r1", "minh")]
    (case,) = place.cases.list()
    alert = place.cases.get(case.id).alert
    assert (alert.device, alert.site, alert.count, alert.title) == ("r1", "hh", 1, "T")
    assert [e.text("user.name") for e in alert.events] == ["minh"]
    place.now += HOUR
    place.put(login(place.now - timedelta(minutes=5), "minh"))
    assert place.run(rule()) == []
    assert len(place.cases.list()) == 1


def test_an_event_that_comes_late_counts_at_its_own_time(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.put(*history(20))
    assert place.run(rule()) == []
    place.now += HOUR
    place.put(login(NOW - timedelta(minutes=30), "minh", received=place.now - timedelta(minutes=2)))
    assert place.run(rule()) == [("r1", "minh")]


def test_a_run_that_died_before_it_wrote_down_what_it_told_tells_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path)
    place.put(*history(20), login(NOW - timedelta(minutes=20), "minh"))

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Counts, "told", dies)
        with pytest.raises(KeyboardInterrupt):
            place.run(rule())
    place.now += timedelta(minutes=1)
    assert place.run(rule()) == [("r1", "minh")]
    assert len(place.cases.list()) == 1  # the same id


def test_a_lost_memory_costs_no_alert_and_doubles_none(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.put(*history(20), login(NOW - timedelta(minutes=20), "minh"))
    place.run(rule())
    for path in tmp_path.glob("scheduled.db*"):
        path.unlink()
    place.run(rule())
    assert len(place.cases.list()) == 1


@pytest.mark.parametrize("days", [2, 6])
def test_a_group_known_for_less_than_it_takes_to_learn_is_not_judged(tmp_path: Path, days: int) -> None:
    place = Place(tmp_path)
    place.put(*history(days), login(NOW - timedelta(minutes=20), "minh"))
    assert place.run(rule()) == []


def test_while_the_store_is_behind_nothing_is_missing(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.store(*(login(NOW - DAY * n) for n in range(1, 20)))
    absent = rule("absent")
    assert place.run(absent) == []
    place.put()
    assert place.run(absent) == [("r1",)]
    place.now += HOUR
    place.put()
    assert place.run(absent) == []  # told
    place.put(login(place.now - timedelta(minutes=3)))
    place.now += timedelta(hours=7)
    place.put()
    assert place.run(absent) == [("r1",)]  # it came back, and is missing again


def test_a_rare_value_is_told_and_a_usual_one_not(tmp_path: Path) -> None:
    place = Place(tmp_path)
    rare = [login(NOW - DAY * 9, "minh"), login(NOW - timedelta(minutes=5), "minh")]
    place.put(*history(20), *rare, login(NOW - timedelta(minutes=5), "lan"))
    assert place.run(rule("rare")) == [("r1", "minh")]


def test_more_than_a_person_reads_is_one_alert_that_counts(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.put(*history(20), *(login(NOW - timedelta(minutes=9), f"u{n:02d}") for n in range(30)))
    told = place.run(rule(most=5))
    assert len(told) == 6 and told[-1] == ("25",)
    place.now += HOUR
    place.put()
    assert place.run(rule(most=5)) == []


def test_another_text_of_the_rule_is_asked_from_the_beginning(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.put(*history(20), *history(20, "minh"), login(NOW - timedelta(minutes=20), "minh"))
    assert place.run(rule()) == []
    assert place.run(rule("rare", at_most=100)) == [("r1", "minh")]


def hours(per_week: list[int], last: int) -> list[Count]:
    """Events of one hour of the week, week by week, then of the last whole hour before NOW."""
    made = []
    hour = NOW.replace(minute=0) - HOUR
    for ago, n in [(len(per_week) - at, n) for at, n in enumerate(per_week)] + [(0, last)]:
        at = hour - timedelta(days=7 * ago)
        if n:
            made.append(Count(group=("r1",), value="", hour=at, count=n, first=at, last=at + timedelta(minutes=59)))
    return made


@pytest.mark.parametrize(
    ("weeks", "last", "told"),
    [
        ([200, 220, 210, 190], 30, True),
        ([200, 220, 210, 190], 41, False),  # 20 % of 205 is 41
        ([200, 0, 210, 190], 30, True),  # one holiday does not move the median
        ([90, 90, 90, 90], 0, False),  # too few to say anything
        ([0, 0, 200, 210], 0, False),  # two weeks are no habit
    ],
)
def test_an_hour_is_held_against_the_same_hour_of_four_weeks(weeks: list[int], last: int, told: bool) -> None:
    asked = rule("fell", over="35d", learn="7d")
    found = judged(asked, [*hours(weeks, last), *hours([], 1)], NOW, NOW - HOUR)
    assert bool([f for f in found if f.last == NOW.replace(minute=0)]) is told


# ---- what may be written

WRONG = {
    "no such kind": ({"kind": "often"}, "canh.scheduled.kind"),
    "no field": ({"field": ""}, "needs field"),
    "a field too many": ({"kind": "fell", "field": "x"}, "takes no field"),
    "no group": ({"group-by": []}, "group-by"),
    "no span": ({"every": "often"}, "often"),
    "too often": ({"every": "10s"}, "every"),
    "too far back": ({"over": "400d"}, "over"),
    "learns longer than it looks": ({"learn": "40d"}, "over"),
    "silence of another kind": ({"silent_for": "1h"}, "silent_for"),
    "an unknown key": ({"evry": "1h"}, "evry"),
    "values of running text": ({"field": "message"}, "running text"),
    "groups of running text": ({"group-by": ["event.original"]}, "running text"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_scheduled_is_refused_with_its_reason(case: str) -> None:
    changes, says = WRONG[case]
    with pytest.raises(ScheduleError, match=says):
        rule(**changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("selection", "says"),
    [
        ({"user.name|re": "^a"}, "cannot be asked for |re"),
        ({"user.name|base64": "x"}, "base64"),
        ({"source.ip|cidr": "10.0.0.1/8"}, "host bits"),
        ({"user.name|expand": "%nobody_knows%"}, "unknown placeholder"),
        ({"source.port|gt": "many"}, "'many' is no whole number"),
        ({"source.port": "ssh"}, "'ssh' is no whole number"),
        ({"source.port|startswith": "2"}, "patterns in text only"),
        ({"source.ip": "10.0.0.0/8"}, "is no address"),
        ({"source.ip|startswith": "10."}, "patterns in text only"),
        ({"user.name|gt": 5}, "orders numbers and times only"),
    ],
)
def test_a_detection_no_store_can_answer_is_refused(selection: dict[str, str], says: str, tmp_path: Path) -> None:
    said = document() | {"detection": {"selection": selection, "condition": "selection"}}
    folder = tmp_path / "x"
    folder.mkdir()
    (folder / "rule.yml").write_text(yaml.safe_dump(said))
    rules, refused = load([tmp_path], {})
    assert not rules and says in str(refused[0])


# ---- the store chooses what the engine matches

WORDS = st.sampled_from(["a", "ab", "b", "a*", "*b", "?b", "ba", "c"])
FIELDS = st.sampled_from(["user.name", "host.name", "canh.x", "event.category", "source.port", "source.ip"])


@st.composite
def items(draw: st.DrawFn) -> tuple[str, object]:
    field = draw(FIELDS)
    if field == "source.port":
        how = draw(st.sampled_from(["", "|gt", "|gte", "|lt", "|lte"]))
        value: object = draw(st.integers(0, 4))
        return f"{field}{how}", value if how else [value, draw(st.integers(0, 4))]
    if field == "source.ip":
        return f"{field}|cidr", draw(
            st.lists(st.sampled_from(["10.0.0.0/8", "10.1.0.0/16", "192.0.2.0/24"]), min_size=1)
        )
    how = draw(st.sampled_from(["", "|contains", "|startswith", "|endswith", "|exists", "|contains|all"]))
    if how == "|exists":
        return f"{field}{how}", draw(st.booleans())
    words = WORDS if not how else st.sampled_from(["a", "b", "ab"])
    return f"{field}{how}", draw(st.lists(words, min_size=1 + how.endswith("all"), max_size=3, unique=True))


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, list[Event]]:
    """A store with events of many kinds, and the events."""
    chance, made = random.Random(4), []
    for n in range(200):
        fields: dict[str, Value] = {"host.name": chance.choice("ab")}
        for field in ("user.name", "canh.x"):
            if chance.random() < 0.6:
                fields[field] = chance.choice(["a", "ab", "b", "ba", "cab"])
        if chance.random() < 0.6:
            fields["source.port"] = chance.randrange(5)
        if chance.random() < 0.6:
            fields["source.ip"] = chance.choice(["10.1.2.3", "10.9.9.9", "192.0.2.7"])
        if chance.random() < 0.6:
            fields["event.category"] = tuple(chance.choices(["a", "b", "ab"], k=chance.randrange(1, 3)))
        whole = login(NOW - timedelta(seconds=n), more=fields).fields
        left_out = {"user.name", "event.category"} - set(fields)
        made.append(Event({name: value for name, value in whole.items() if name not in left_out}))
    place = tmp_path_factory.mktemp("oracle")
    with closing(StoreWriter(place)) as writer:
        writer.write(made)
        writer.commit({})
    return Store(place), made


CONDITIONS = (
    "one and two",
    "one or two",
    "one and not two",
    "not (one or two)",
    "1 of them",
    "all of them",
    "not one or two",
)


@given(
    chosen=st.lists(st.lists(items(), min_size=1, max_size=2, unique_by=lambda item: item[0]), min_size=2, max_size=2),
    condition=st.sampled_from(CONDITIONS),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_store_chooses_the_events_the_engine_matches(
    stored: tuple[Store, list[Event]], tmp_path: Path, chosen: list[list[tuple[str, object]]], condition: str
) -> None:
    """On lower-case words: the engine takes no notice of case, a store does."""
    store, there = stored
    detection = {"one": dict(chosen[0]), "two": dict(chosen[1]), "condition": condition}
    said = {"title": "T", "id": "1", "logsource": {}, "detection": detection}
    rules = rules_of(tmp_path / "rules", yaml.safe_dump(said))
    assert not rules.refused  # an `all` over one value is refused by the engine, so none is drawn
    matched = {there[match.event].id for match in Matcher(rules).match([encode(one) for one in there])}
    assert {one.id for one in store.search(node_of(detection, {}), limit=None)} == matched


_NAMED = st.sampled_from("abc")
_ENTRY = st.dictionaries(_NAMED, st.frozensets(st.sampled_from("xyz*"), min_size=1, max_size=2), min_size=1)


@given(st.lists(_ENTRY, max_size=6), st.dictionaries(_NAMED, st.sampled_from("xyzw")))
def test_fewer_entries_are_of_the_same_events(entries: list[dict[str, frozenset[str]]], event: dict[str, str]) -> None:
    def met(by: list[dict[str, frozenset[str]]]) -> bool:
        return any(all(f in event and (event[f] in said or "*" in said) for f, said in entry.items()) for entry in by)

    assert met(_widest(entries)) == met(entries)
    assert len(_widest(entries)) <= len(entries)


def test_what_a_run_that_failed_had_found_is_found_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, daily = Place(tmp_path), rule(every="1d")
    place.put(*history(20))
    place.run(daily)
    place.now += DAY
    place.put(login(place.now - 3 * HOUR, "minh"))

    def away(*_: object, **__: object) -> None:
        raise StoreError("the store is away")

    with monkeypatch.context() as patch:
        patch.setattr(Store, "search", away)  # it is asked for an alert's events after it has counted
        with pytest.raises(StoreError):
            place.run(daily)
    place.now += DAY
    place.put(login(place.now - 3 * HOUR, "lan"))
    assert place.run(daily) == [("r1", "minh")]


def test_a_clock_that_was_ahead_keeps_no_rule_from_being_asked(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.put(*history(20))
    place.run(rule())
    place.now += 300 * DAY
    place.put()
    place.run(rule())
    place.now -= 300 * DAY - 2 * HOUR
    place.put(login(place.now - HOUR / 2, "minh"))
    with closing(Counts.below(place.path)) as counts:
        assert Runner(Store(place.path), counts, place.cases, clock=lambda: place.now).due([rule()])
    assert place.run(rule()) == [("r1", "minh")]
