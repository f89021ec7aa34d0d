"""What every store promises, as tests. Each store's own file imports them and says how it is opened (`opened`)."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitoring.errors import QueryError
from monitoring.event import Event, Value
from monitoring.sink import EventSink
from monitoring.store import EventStore, Retention, RetentionRule
from tests.unit.monitoring.stored import NOON, event

MINUTE = timedelta(minutes=1)
NUMBERS = itertools.count(1000)


class Writer(EventSink, Protocol):
    def maintain(self, now: datetime | None = None) -> None: ...


@dataclass(frozen=True)
class Opened:
    """A store of a test: its writer may be opened again and again, on the same data."""

    data_dir: Path
    reader: EventStore
    open_writer: Callable[..., Writer]

    def put(self, events: list[Event], checkpoint: dict[str, object] | None = None, **options: object) -> None:
        with closing(self.open_writer(**options)) as writer:
            assert writer.write(events) == ()
            writer.commit(checkpoint or {})

    def numbers(self, query: str = "", start: datetime | None = None, end: datetime | None = None) -> list[int]:
        return [number_of(e) for e in self.reader.search(query, start, end, limit=None)]


def number_of(found: Event) -> int:
    return int(found.id[-12:])


# Writing, and the checkpoint


def test_what_is_committed_is_found_with_its_checkpoint(opened: Opened) -> None:
    opened.put([event(1), event(2, NOON + MINUTE)], {"position": 2, "by": {"10.0.0.1": 2, "a.b": 1}})
    assert opened.numbers() == [2, 1]
    with closing(opened.open_writer()) as again:
        assert again.checkpoint == {"position": 2, "by": {"10.0.0.1": 2, "a.b": 1}}


def test_a_new_store_is_empty_and_has_no_checkpoint(opened: Opened) -> None:
    with closing(opened.open_writer()) as writer:
        assert writer.checkpoint == {}
    assert opened.numbers("a:b") == [] and opened.reader.count() == 0
    assert opened.reader.aggregate("host.name") == [] and opened.reader.histogram(step=MINUTE) == []
    assert opened.reader.get([event(1).id]) == [] and opened.reader.span() is None


def test_a_second_writer_of_a_data_directory_is_refused(opened: Opened) -> None:
    with closing(opened.open_writer()), pytest.raises(Exception, match="another process writes this store"):
        opened.open_writer()


def test_a_writer_that_never_committed_is_replayed_and_nothing_is_twice(opened: Opened) -> None:
    """What a kill leaves: events sent, no checkpoint. The worker sends them again from the spool."""
    opened.put([event(0)], {"position": 1})
    with closing(opened.open_writer()) as killed:
        killed.write([event(n) for n in range(1, 50)])
    with closing(opened.open_writer()) as again:
        assert again.checkpoint == {"position": 1}
        again.write([event(n) for n in range(1, 80)])
        again.commit({"position": 80})
    assert sorted(opened.numbers()) == list(range(80)) and opened.reader.count() == 80


def test_an_event_comes_back_as_it_went_in(opened: Opened) -> None:
    odd: dict[str, Value] = {
        "event.category": ("authentication", "session"),
        "source.ip": "2001:db8::7",
        "source.port": 65535,
        "canh.src.known": False,
        "canh.clock.offset_ms": -2.5,
        "canh.unlisted.one": "x",
        "canh.unlisted": ("a", "b"),
        "destination.port": "http",
        "user.name": "Nguyễn Thị Lan\n\x00",
        "event.code": 4625,
        "weird name\x1f.": 'q"uote\\',
        "source": "a parent and a leaf",
        "tags": ("t",),
    }
    before = [event(1, **odd), event(2, message="another text", **{"event.original": ""}), event(3)]
    opened.put(before)
    assert sorted(opened.reader.search(), key=lambda e: e.id) == before


values = st.text(max_size=12) | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
fields = st.dictionaries(
    st.sampled_from(
        ["message", "source.ip", "source.port", "event.category", "canh.source.known", "user.name", "canh.x", "a\"b'",
         "canh_more", "event.created", "event", ".", "a..b", "event.reason.x", " ", "canh.clock.offset_ms"]
    ),
    values | st.lists(st.text(max_size=4), min_size=1, max_size=3).map(tuple),
    max_size=6,
)  # fmt: skip


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(several=st.lists(fields, min_size=12, max_size=25))
def test_any_fields_survive(opened: Opened, several: list[dict[str, Value]]) -> None:
    before = [Event({**event(next(NUMBERS)).fields, **more}) for more in several]
    opened.put(before)
    assert opened.reader.get([e.id for e in before]) == before


def test_half_a_surrogate_pair_does_not_stop_a_batch(opened: Opened) -> None:
    opened.put([event(1, message="\ud800x", **{"canh.x": "\ud800"}), event(2)])
    assert opened.reader.count() == 2


def test_a_line_of_64_kib_is_found_at_its_begin_and_its_end(opened: Opened) -> None:
    line = "begin " + "Ắ x" * 21_000 + " end"
    opened.put([event(1, message=line, **{"event.original": line}), event(2)])
    assert opened.numbers('"begin ắ"') == [1] and opened.numbers('"x END"') == [1]
    assert next(opened.reader.search("end")).text("message") == line


# Order, limit, time


def test_events_come_newest_first_whatever_order_they_came_in(opened: Opened) -> None:
    order = list(range(60))
    random.Random(7).shuffle(order)
    with closing(opened.open_writer()) as writer:
        for start in range(0, 60, 10):
            writer.write([event(n, NOON + 7 * n * MINUTE) for n in order[start : start + 10]])
            writer.commit({})
    assert opened.numbers() == list(range(59, -1, -1))
    assert [number_of(e) for e in opened.reader.search(limit=5)] == [59, 58, 57, 56, 55]
    assert opened.numbers(start=NOON + 70 * MINUTE, end=NOON + 140 * MINUTE) == list(range(19, 9, -1))
    assert [number_of(e) for e in opened.reader.scan(oldest_first=True)] == list(range(60))


def test_events_of_one_moment_are_ordered_by_id(opened: Opened) -> None:
    opened.put([event(n, NOON + timedelta(microseconds=n // 10)) for n in random.Random(3).sample(range(50), 50)])
    assert opened.numbers() == list(range(49, -1, -1))


def test_start_is_in_and_end_is_not_to_the_microsecond(opened: Opened) -> None:
    micro = timedelta(microseconds=1)
    opened.put([event(n, NOON + n * micro) for n in range(4)])
    assert opened.numbers(start=NOON + micro, end=NOON + 3 * micro) == [2, 1]
    assert opened.reader.count(start=NOON + micro, end=NOON + 3 * micro) == 2


def test_more_events_than_a_page_come_without_gap_or_double(opened: Opened) -> None:
    opened.put([event(n, NOON + timedelta(seconds=n // 4)) for n in range(4500)])
    expected = sorted(range(4500), key=lambda n: (n // 4, n), reverse=True)
    assert opened.numbers() == expected
    assert [number_of(e) for e in opened.reader.search(limit=4100)] == expected[:4100]
    assert [number_of(e) for e in opened.reader.scan(oldest_first=True)] == sorted(
        range(4500), key=lambda n: (n // 4, n)
    )


def test_a_late_event_of_an_old_time_is_found_in_its_place(opened: Opened) -> None:
    late = {**event(9, NOON - timedelta(days=2)).fields, "event.ingested": event(1).text("event.ingested")}
    opened.put([event(1, NOON - timedelta(days=1)), event(2, NOON), Event(late)])
    assert opened.numbers() == [2, 1, 9]


def test_only_the_asked_fields(opened: Opened) -> None:
    opened.put([event(1, **{"source.ip": "10.0.0.1", "source.port": 5, "canh.rest": "r"})])
    found = next(opened.reader.search(fields=("source", "canh.rest", "message")))
    assert dict(found.fields) == {"source.ip": "10.0.0.1", "source.port": 5, "canh.rest": "r", "message": "line 1"}


# Numbers


@pytest.fixture
def ten(opened: Opened) -> Opened:
    made = [
        event(
            n,
            NOON + n * MINUTE + timedelta(microseconds=n),
            **{"event.category": ("a", "b") if n % 2 else ("a",), "canh.x": f"x{n % 2}", "source.port": n % 4}
            | ({"user.name": f"u{n}"} if n < 3 else {}),
        )
        for n in range(10)
    ]
    opened.put(made)
    return opened


def test_a_count_is_of_what_fits(ten: Opened) -> None:
    assert ten.reader.count() == 10 and ten.reader.count("host.name:h0") == 4
    assert ten.reader.count("host.name:h0", NOON + MINUTE, NOON + 9 * MINUTE) == 2


def test_a_histogram_counts_spans_and_values(ten: Opened) -> None:
    store = ten.reader
    assert [(b.start.minute, b.count) for b in store.histogram(step=5 * MINUTE)] == [(0, 5), (5, 5)]
    assert [(b.start.minute, b.value, b.count) for b in store.histogram(step=5 * MINUTE, by="host.name")] == [
        (0, "h0", 2), (0, "h1", 2), (0, "h2", 1), (5, "h0", 2), (5, "h1", 1), (5, "h2", 2)
    ]  # fmt: skip
    by_user = [
        (b.value, b.count)
        for b in store.histogram("", NOON, NOON + 5 * MINUTE, step=timedelta(hours=1), by="user.name")
    ]
    assert by_user == [("", 2), ("u0", 1), ("u1", 1), ("u2", 1)]
    for field, expected in {
        "event.category": [("a", 10), ("b", 5)],
        "canh.x": [("x0", 5), ("x1", 5)],
        "source.port": [("0", 3), ("1", 3), ("2", 2), ("3", 2)],
    }.items():
        assert [(b.value, b.count) for b in store.histogram(step=timedelta(days=1), by=field)] == expected
    with pytest.raises(QueryError):
        store.histogram(step=timedelta(0))


def test_values_are_told_with_their_counts_and_times(ten: Opened) -> None:
    hosts = {g.value: g for g in ten.reader.aggregate("host.name")}
    last = NOON + 9 * MINUTE + timedelta(microseconds=9)
    assert (hosts["h0"].count, hosts["h0"].first, hosts["h0"].last, hosts["h0"].last_received) == (4, NOON, last, last)
    assert [(g.value, g.count) for g in ten.reader.aggregate("event.category")] == [("a", 10), ("b", 5)]
    assert [(g.value, g.count) for g in ten.reader.aggregate("canh.x")] == [("x0", 5), ("x1", 5)]
    assert [(g.value, g.count) for g in ten.reader.aggregate("source.port", limit=2)] == [("0", 3), ("1", 3)]
    assert [g.value for g in ten.reader.aggregate("user.name", "host.name:h0")] == ["u0"]
    assert ten.reader.aggregate("canh.nothing") == []
    with pytest.raises(QueryError, match="running text"):
        ten.reader.aggregate("message")


@pytest.mark.parametrize(
    "fields", [("host.name",), ("host.name", "user.name"), ("event.category", "canh.x"), ("source.port", "source.ip")]
)
def test_a_tally_is_exact_for_each_combination_of_values(ten: Opened, fields: tuple[str, ...]) -> None:
    """As counting the events one by one says it."""
    counted: Counter[tuple[datetime, tuple[str, ...]]] = Counter()
    edges: dict[tuple[datetime, tuple[str, ...]], list[datetime]] = {}
    for one in ten.reader.scan("NOT host.name:h2", NOON, NOON + 9 * MINUTE):
        span = NOON if one.timestamp < NOON + 5 * MINUTE else NOON + 5 * MINUTE
        values = [v if isinstance(v, tuple) else (v,) for v in (one.fields.get(field, "") for field in fields)]
        for combination in product(*values):
            key = (span, tuple(str(value) for value in combination))
            counted[key] += 1
            edges.setdefault(key, []).append(one.timestamp)
    told = list(ten.reader.tally(fields, "NOT host.name:h2", NOON, NOON + 9 * MINUTE, step=5 * MINUTE))
    assert {(t.start, t.values): t.count for t in told} == counted and len(told) == len(counted)
    for one in told:
        times = edges[one.start, one.values]
        assert abs(one.first - min(times)) < timedelta(milliseconds=1) > abs(one.last - max(times))
    with pytest.raises(QueryError, match="running text"):
        ten.reader.tally(("message",), step=MINUTE)


def test_a_field_is_a_name_whatever_it_is_called(opened: Opened) -> None:
    """`{where}` stood for a part of the statement: a quote in the query ended the name it was put into."""
    name = "canh.{where}{source}"
    opened.put([event(1, **{name: "x"}), event(2)])
    asked = """NOT _exists_:"canh.a') OR (1=1" AND host.name:*"""
    assert [(g.value, g.count) for g in opened.reader.aggregate(name, asked)] == [("x", 1)]
    assert sum(b.count for b in opened.reader.histogram(asked, step=MINUTE, by=name)) == 2


def test_events_by_id_come_in_the_order_asked(ten: Opened) -> None:
    asked = [event(3).id, event(99).id, event(1).id, event(3).id.upper()]
    assert [number_of(e) for e in ten.reader.get(asked)] == [3, 1]


def test_the_span_is_of_all_there_is(ten: Opened) -> None:
    assert ten.reader.span() == (NOON, NOON + 9 * MINUTE + timedelta(microseconds=9))


# Retention

RULES = Retention(
    keep=timedelta(days=90),
    rules=(
        RetentionRule(name="portal", keep=timedelta(days=365), system={"canh.site": frozenset({"portal"})}),
        RetentionRule(name="polls", data_set="snmp.", keep=timedelta(days=1)),
        RetentionRule(name="portal-polls", data_set="snmp.", keep=timedelta(days=500)),
    ),
)


def test_each_data_set_and_system_goes_when_its_time_is_over(opened: Opened) -> None:
    made = [
        event(1),
        event(2, **{"event.dataset": "snmp.interface"}),
        event(3, **{"canh.site": "portal"}),
        event(4, NOON - timedelta(days=1), **{"event.dataset": "syslog"}),
    ]
    opened.put(made, {"position": 4}, retention=RULES)
    left = {2: [4, 3, 1], 89: [4, 3, 1], 91: [3], 364: [3], 367: []}
    with closing(opened.open_writer(retention=RULES)) as writer:
        for days, expected in left.items():
            writer.maintain(NOON + timedelta(days=days))
            assert sorted(opened.numbers(), reverse=True) == expected, f"{days} days later"
        assert writer.checkpoint == {"position": 4}


def test_events_that_expired_and_are_replayed_expire_again(opened: Opened) -> None:
    with closing(opened.open_writer()) as writer:
        for batch in ([event(1), event(2, NOON + timedelta(days=100))], [event(1)]):
            writer.write(batch)
            writer.commit({})
            writer.maintain(NOON + timedelta(days=95))
            assert opened.numbers() == [2]


__all__ = [name for name in dir() if name.startswith("test_")] + ["ten"]
