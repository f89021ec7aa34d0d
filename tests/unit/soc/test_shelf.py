"""Groups on disk: what leaves memory is found again, everything is bounded, and what is let go is counted."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.event import Event
from soc import pending
from soc.detection import Detection
from soc.errors import DatabaseError
from soc.outbox import Outbox
from soc.sigma import RuleSet, encode
from soc.sigma.aggregates import Entry
from soc.sigma.correlator import Sighting
from soc.sigma.window import Window
from tests.unit.soc.correlation_support import correlations_of
from tests.unit.soc.engine_support import FAILED, START, correlation, failed, rules_of


class Disk:
    """A detection whose commits are to a disk."""

    def __init__(self, folder: Path, *texts: str, most_in_memory: int = 50_000, **bounds: int) -> None:
        self.rules: RuleSet = rules_of(folder / "rules", FAILED, *texts)
        self.outbox = Outbox(folder / "detect.db", **bounds)
        self.outbox._db.execute("PRAGMA synchronous=OFF")
        self.detection = Detection(self.rules, timedelta())
        self.outbox.restore(self.detection)
        self.detection.correlator._most_groups = most_in_memory
        self.events = 0

    def take(self, events: Sequence[Event]) -> None:
        self.detection.take(events, START)
        self.detection.advance(round(events[-1].received.timestamp() * 1e6), START)
        self.events += len(events)
        self.outbox.commit(self.detection, {"s": self.events}, {}, self.detection.counters())

    def rows(self, table: str) -> int:
        (n,) = self.outbox._db.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(n)

    @property
    def counters(self) -> dict[str, int]:
        return dict(self.detection.counters())


def addresses(n: int, seconds: float, first: int = 0) -> list[Event]:
    return [failed(first + at, seconds, source__ip=f"10.0.{at // 250}.{at % 250}") for at in range(n)]


def test_a_group_that_left_memory_goes_on_counting(tmp_path: Path) -> None:
    disk = Disk(tmp_path, correlation("event_count", "{gte: 3}", span="1h"), most_in_memory=5)
    for turn in range(3):
        disk.take(addresses(40, turn, first=100 * turn))
    assert disk.counters["groups"] == 40
    assert disk.counters["groups_in_memory"] <= 40
    assert disk.counters["groups_spilled"] >= 70
    assert disk.counters["groups_recalled"] >= 70
    assert disk.counters["groups_evicted"] == 0
    assert disk.counters["alerts"] == 40


def test_memory_holds_what_was_not_written_down_yet_and_no_more_after_it(tmp_path: Path) -> None:
    disk = Disk(tmp_path, correlation("event_count", "{gte: 3}", span="1h"), most_in_memory=5)
    disk.detection.take(addresses(40, 0), START)
    disk.detection.advance(disk.detection.clock_us + 1, START)
    assert disk.counters["groups_in_memory"] == 40
    disk.take(addresses(1, 1, first=100))
    assert disk.counters["groups_in_memory"] <= 5


def test_beyond_the_bound_on_disk_the_crowded_correlation_gives_way_and_it_is_counted(tmp_path: Path) -> None:
    crowded = correlation("event_count", "{gte: 3}", span="1h", number=2)
    calm = correlation("event_count", "{gte: 3}", span="1h", number=3, group="[user.name]")
    disk = Disk(tmp_path, crowded, calm, most_groups=100)
    for turn in range(5):
        disk.take(addresses(50, turn, first=100 * turn + 10_000) if turn else [failed(1, 0), failed(2, 0.1)])
    disk.take([failed(n, 10, source__ip=f"10.9.{n // 200}.{n % 200}", user__name="other") for n in range(500, 700)])
    assert disk.counters["groups"] <= 100
    assert disk.rows("grp") <= 100
    assert disk.counters["groups_evicted"] >= 100
    disk.take([failed(900, 20)])
    found = [e for e in disk.detection.episodes._open.values() if e.group == (("user.name", "thanh"),)]
    assert found, "the calm one's group was still there: its third match made it hold"


def test_groups_nothing_can_count_in_any_more_leave_the_disk(tmp_path: Path) -> None:
    disk = Disk(tmp_path, correlation("event_count", "{gte: 3}"), most_in_memory=5)
    disk.take(addresses(50, 0))
    disk.take(addresses(1, 300, first=1000))
    disk.take(addresses(1, 301, first=1001))
    assert disk.rows("grp") == 1
    assert disk.counters["groups_evicted"] == 0  # nothing was lost


def test_copies_of_events_are_kept_once_and_within_their_bound(tmp_path: Path) -> None:
    texts = [correlation("event_count", "{gte: 3}", number=n, span=f"{n}m") for n in range(2, 6)]
    disk = Disk(tmp_path, *texts, most_event_octets=20_000)
    disk.take([failed(1, 0)])
    assert disk.rows("event") == 1
    octets = len(encode(failed(1, 0)))
    disk.take(addresses(100, 1, first=10))
    assert disk.rows("event") < 100
    assert disk.counters["copied_octets"] <= 20_000 < 101 * octets
    assert disk.counters["copies_evicted"] > 0
    (stored,) = disk.outbox._db.execute("SELECT sum(length(body)) FROM event").fetchone()
    assert stored == disk.counters["copied_octets"]


def test_copies_go_when_no_window_reaches_them(tmp_path: Path) -> None:
    disk = Disk(tmp_path, correlation("event_count", "{gte: 3}"))
    disk.take(addresses(10, 0))
    disk.take(addresses(1, 600, first=100))
    assert disk.rows("event") == 1


def test_a_crowded_group_is_written_in_chunks_and_read_back_whole(tmp_path: Path) -> None:
    disk = Disk(tmp_path, correlation("value_count", "{field: user.name, gte: 9999}", span="1h"), most_in_memory=1)
    for turn in range(20):
        disk.take([failed(1000 * turn + n, turn + n / 100, user__name=f"u{turn}-{n}") for n in range(90)])
    assert disk.rows("chunk") >= 19
    disk.take(addresses(3, 30, first=90_000))  # others: it leaves memory
    disk.take(addresses(3, 31, first=91_000))
    disk.take([failed(99_999, 32, user__name="last")])
    (window,) = [w for w in disk.detection.correlator._windows.values() if len(w.entries) > 100]
    assert (len(window.entries), window.value()) == (1801, 1801)
    disk.take([failed(100_000, 3632 + 5, user__name="an hour later")])
    assert disk.rows("chunk") <= 16


def test_an_event_that_lacks_what_counts_is_counted_by_reason(tmp_path: Path) -> None:
    texts = [
        correlation("event_count", "{gte: 1}", number=2),
        correlation("value_count", "{field: nothing, gte: 1}", number=3, group="[]"),
        correlation("value_sum", "{field: user.name, gte: 0}", number=4, group="[]"),
    ]
    disk = Disk(tmp_path, *texts)
    disk.take([failed(1, 0, source__ip=""), failed(2, 1, source__ip=tuple(f"10.0.0.{n}" for n in range(20)))])
    assert disk.counters["without_group"] == 1
    assert disk.counters["without_value"] == 4
    assert disk.counters["values_cut"] == 1
    assert disk.counters["groups"] == 16


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 3), st.integers(-9, 9)), max_size=60), st.integers(4, 30))
def test_a_window_counts_the_same_whatever_the_order_within_it(given_: list[tuple[int, int, int]], most: int) -> None:
    """Late entries, entries that leave and entries beyond the bound: as counted again from what is left."""
    for kind in ("value_count", "value_sum", "value_median", "temporal_ordered"):
        condition = {"field": "n", "gte": 1} if kind.startswith("value") else {"gte": 1}
        body = {"type": kind, "rules": ["a", "b"], "group-by": [], "timespan": "100s", "condition": condition}
        (rule,) = correlations_of([{"title": "t", "id": "u", "correlation": body}])
        window = Window(rule, most)
        for n, (at, which, value) in enumerate(given_):
            window.add(Entry(at * 1_000_000, str(n), "ab"[which % 2], (str(value),)))
            again = Window(rule, most, window.entries)
            assert window.entries == sorted(window.entries)
            assert len(window.entries) <= most
            assert window.aggregate.value() == again.aggregate.value()


def test_hostile_numbers_neither_stop_counting_nor_count_as_what_they_are_not(tmp_path: Path) -> None:
    kinds = ("value_sum", "value_avg", "value_median", "value_percentile")
    texts = [correlation(k, "{field: n, gt: 0}", number=n, group="[]") for n, k in enumerate(kinds, 2)]
    disk = Disk(tmp_path, *texts)
    hostile = ["1e308", "1e308", "-1e308", "1e400", "nan", "inf", "1_000", "0x10", " 5 ", "9" * 500, "", "12abc", "१२"]
    disk.take([failed(n, n / 10, n=text) for n, text in enumerate(hostile)])
    values = [w.aggregate.value() for w in disk.detection.correlator._windows.values()]
    assert sorted(len(w.entries) for w in disk.detection.correlator._windows.values()) == [4, 4, 4, 4]
    assert values[0] == 1e308


def test_beyond_its_octets_every_correlation_gives_a_little_and_it_is_counted(tmp_path: Path) -> None:
    texts = [correlation("event_count", "{gte: 3}", span="1h", number=n) for n in (2, 3)]
    disk = Disk(tmp_path, *texts, most_octets=200_000, most_event_octets=20_000)
    for turn in range(30):
        disk.take([failed(200 * turn + n, turn + n / 500, source__ip=f"10.{turn}.0.{n}") for n in range(200)])
    assert disk.counters["groups_evicted"] > 0
    assert len(disk.outbox.shelf.groups) == 2
    assert disk.outbox.shelf._octets() < 2_500_000


def test_a_long_value_is_shortened_and_stays_another_one(tmp_path: Path) -> None:
    rules = [correlation("value_count", "{field: user.name, gte: 3}", span="1h")]
    disk = Disk(tmp_path, *rules)
    disk.take([failed(n, n, source__ip="x" * 60_000 + "é", user__name="u" * 60_000 + str(n)) for n in range(3)])
    ((where, window),) = disk.detection.correlator._windows.items()
    assert len(where[1]) < 600
    assert window.value() == 3
    assert disk.counters["alerts"] == 1


def test_waiting_matches_are_bounded_by_their_octets_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "MOST_OCTETS", 10_000)
    buffer = pending.Pending(5_000_000)
    left = []
    for n in range(20):
        left += buffer.add(Sighting(at_us=n, id=str(n), rule="r", received_us=n, fields={}, event=b"x" * 1000))
    assert [s.at_us for s in left] == list(range(10))
    assert (buffer.octets, buffer.early) == (10_000, 10)
    buffer.drop({"r"})
    assert (buffer.octets, len(buffer.held)) == (0, 0)


def test_a_disk_that_cannot_be_read_is_said_as_such(tmp_path: Path) -> None:
    disk = Disk(tmp_path, correlation("event_count", "{gte: 3}", span="1h"), most_in_memory=1)
    disk.take(addresses(5, 0))
    disk.outbox._db.execute("DROP TABLE grp")
    with pytest.raises(DatabaseError, match="cannot be read"):
        disk.take(addresses(5, 1, first=100))


def test_a_state_of_another_layout_is_dropped_and_begins_anew(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "detect.db") as old:
        old.execute("CREATE TABLE grp (correlation TEXT, key TEXT, touched_us INTEGER)")
        old.execute("CREATE TABLE position (spool TEXT PRIMARY KEY, position INTEGER NOT NULL, warm INTEGER NOT NULL)")
        old.execute("INSERT INTO position VALUES ('s', 7, 7)")
        old.execute("PRAGMA user_version = 2")
    disk = Disk(tmp_path, correlation("event_count", "{gte: 3}"))
    assert disk.outbox.positions() == {}  # the spool is read again from its start
    disk.take([failed(n, n) for n in range(3)])
    assert (disk.counters["alerts"], disk.outbox.positions()) == (1, {"s": 3})


def test_rules_that_are_gone_leave_the_disk_a_portion_a_commit(tmp_path: Path) -> None:
    disk = Disk(tmp_path, correlation("event_count", "{gte: 3}", span="1h"))
    disk.take(addresses(50, 0))
    changed = rules_of(tmp_path / "changed", FAILED, correlation("event_count", "{gte: 2}", span="1h"))
    disk.detection.replace_rules(changed)
    disk.take([failed(900, 1, source__ip="10.0.0.1")])
    assert disk.rows("grp") == 1
    assert disk.counters["alerts"] == 0  # the match before the change does not count for the changed rule
    assert disk.counters["groups_evicted"] == 0
