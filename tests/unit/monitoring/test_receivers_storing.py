"""From the spool into the real store: every record once, whatever is thrown away in between; and the balance of it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from canh.cli import main
from monitoring import storing
from monitoring.dead import dead_letters
from monitoring.event import Event
from monitoring.receivers import Counters
from monitoring.sink import Refusal
from monitoring.spool import Arrivals, Received, Spool, SpoolLimits, SpoolReader, SpoolRecord
from monitoring.stats import Balance, balance_of
from monitoring.store import Store, writer
from monitoring.storing import Storer, store_for_ever
from tests.unit.pace import eventually

START = datetime.now(UTC) - timedelta(hours=1)


def event_of(record: SpoolRecord) -> Event:
    if record.raw == b"poison":
        raise ValueError("no event of this")
    when = record.received.isoformat(timespec="microseconds")[:26] + "Z"
    text = record.raw.decode()
    return Event(
        {
            "event.id": str(record.event_id),
            "@timestamp": when,
            "event.ingested": when,
            "event.original": text,
            "message": text,
            "event.dataset": "syslog.other",
            "event.module": "syslog",
            "event.kind": "event",
        }
    )


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool(tmp_path / "spool/test", SpoolLimits(segment_octets=2000, keep_consumed_s=0))
    yield opened
    opened.close()


def fill(spool: Spool, first: int, count: int, raw: Callable[[int], bytes] = lambda n: b"message %d" % n) -> None:
    now = time.time_ns() // 1000
    spool.append([Received(raw(n), now, "syslog-udp", f"10.0.0.{n % 3}", 514) for n in range(first, first + count)])


def stored(data_dir: Path) -> list[str]:
    found = Store(data_dir).search("*", START, START + timedelta(hours=2), limit=100_000)
    return sorted(e.text("message") for e in found)


def expected(count: int) -> list[str]:
    return sorted(f"message {n}" for n in range(count))


def saved(spool: Spool, data_dir: Path) -> Balance:
    """The balance after the collector saved its counters, as it does every second."""
    Counters(data_dir / "stats/collect.json").save(spools={spool.directory.name: spool.counts()})
    return balance_of(data_dir)


def test_what_was_not_committed_is_done_again_and_nothing_twice(spool: Spool, tmp_path: Path) -> None:
    for round_ in range(4):
        fill(spool, round_ * 50, 50)
        sink = writer(tmp_path)
        storer = Storer(tmp_path, event_of, sink)
        while storer.step():
            pass
        if round_ % 2:
            storer.commit()
        sink.close()  # without a commit, as when it is killed
        balance = saved(spool, tmp_path)
        assert balance.balances, balance
        assert balance.total("stored") == len(stored(tmp_path)) == (round_ + 1) // 2 * 100
    assert stored(tmp_path) == expected(200)


def test_poison_becomes_a_dead_letter_once_and_stops_nothing(spool: Spool, tmp_path: Path) -> None:
    fill(spool, 0, 10, lambda n: b"poison" if n in (3, 7) else b"message %d" % n)
    for commits in (False, True, False):
        sink = writer(tmp_path)
        storer = Storer(tmp_path, event_of, sink)
        storer.step()
        if commits:
            storer.commit()
        sink.close()
    letters = list(dead_letters(tmp_path))
    assert [(x["reason"], x["detail"], x["source"]) for x in letters] == [
        ("no-event", "ValueError: no event of this", "syslog-udp 10.0.0.0"),
        ("no-event", "ValueError: no event of this", "syslog-udp 10.0.0.1"),
    ]
    records, _ = SpoolReader(spool.directory).read(0)
    assert [x["event_id"] for x in letters] == [str(r.event_id) for r in records if r.raw == b"poison"]
    balance = saved(spool, tmp_path)
    assert (balance.total("stored"), balance.total("dead"), balance.balances) == (8, 2, True)


def test_dead_letters_of_a_batch_that_was_not_committed_are_taken_back(spool: Spool, tmp_path: Path) -> None:
    fill(spool, 0, 1, lambda _: b"poison")
    sink = writer(tmp_path)
    storer = Storer(tmp_path, event_of, sink)
    storer.step()
    storer.commit()
    fill(spool, 1, 1, lambda _: b"poison")
    storer.step()
    storer._dead.mark(storer._dead_mark)  # written, then killed before the store's commit
    sink.close()
    assert len(list(dead_letters(tmp_path))) == 2
    sink = writer(tmp_path)
    storer = Storer(tmp_path, event_of, sink)
    assert len(list(dead_letters(tmp_path))) == 1
    storer.step()
    storer.commit()
    sink.close()
    assert len(list(dead_letters(tmp_path))) == 2
    assert saved(spool, tmp_path).balances


def test_it_is_searchable_within_seconds_and_stops_with_everything_stored(spool: Spool, tmp_path: Path) -> None:
    stop = threading.Event()
    worker = threading.Thread(target=store_for_ever, args=(tmp_path, event_of, lambda: writer(tmp_path), stop))
    worker.start()
    fill(spool, 0, 100)
    eventually(lambda: len(stored(tmp_path)) == 100)  # within 5 s: see `python -m tests.bench platform`
    fill(spool, 100, 100)
    stop.set()
    worker.join(60)
    assert stored(tmp_path) == expected(200)
    assert saved(spool, tmp_path).total("in_flight") == 0


def test_a_store_that_cannot_be_opened_is_tried_again(spool: Spool, tmp_path: Path) -> None:
    fill(spool, 0, 10)
    holder = writer(tmp_path)
    stop = threading.Event()
    worker = threading.Thread(target=store_for_ever, args=(tmp_path, event_of, lambda: writer(tmp_path), stop))
    worker.start()
    time.sleep(0.3)
    holder.close()
    eventually(lambda: len(stored(tmp_path)) == 10)
    stop.set()
    worker.join(60)
    assert stored(tmp_path) == expected(10)


def test_stored_segments_leave_the_spool(spool: Spool, tmp_path: Path) -> None:
    for n in range(20):
        fill(spool, n * 20, 20)
    sink = writer(tmp_path)
    storer = Storer(tmp_path, event_of, sink)
    while storer.step():
        pass
    storer.commit()
    sink.close()
    spool.remove_consumed()
    assert len(list(spool.directory.glob("*.seg"))) == 1
    assert saved(spool, tmp_path).balances


def test_stats_of_nothing_balance(tmp_path: Path) -> None:
    balance = balance_of(tmp_path)
    assert balance.balances
    assert not balance.sources


def test_what_is_not_stored_yet_is_in_flight_by_source(spool: Spool, tmp_path: Path) -> None:
    fill(spool, 0, 10)
    balance = balance_of(tmp_path)
    assert balance.balances
    assert {s.source: (s.received, s.in_flight) for s in balance.sources} == {
        "syslog-udp 10.0.0.0": (4, 4),
        "syslog-udp 10.0.0.1": (3, 3),
        "syslog-udp 10.0.0.2": (3, 3),
    }


def test_what_is_too_much_to_be_read_is_reckoned_from_the_other_counts(spool: Spool, tmp_path: Path) -> None:
    """The console looks every two seconds: with the store away it read all of the spool each time, and hung."""
    fill(spool, 0, 10)
    with closing(writer(tmp_path)) as sink, closing(Storer(tmp_path, event_of, sink)) as storer:
        storer.step()
        storer.commit()
    fill(spool, 10, 300)
    Counters(tmp_path / "stats/collect.json").save(spools={"test": spool.counts()})
    read: list[int] = []
    count = SpoolReader.count

    def counted(reader: SpoolReader, position: int, until: int) -> Arrivals:
        read.append(until - position)
        return count(reader, position, until)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SpoolReader, "count", counted)
        exact, reckoned = balance_of(tmp_path), balance_of(tmp_path, most_octets=1000)
    assert max(read[2:]) <= 1000 < max(read)
    assert reckoned.is_reckoned and not exact.is_reckoned
    assert reckoned.sources == exact.sources and exact.total("in_flight") == 300
    fill(spool, 310, 100)  # after the last word of a collector that was killed then
    late = balance_of(tmp_path, most_octets=1000)
    assert (late.total("received"), late.total("in_flight")) == (310, 300) and late.balances


def test_drops_count_as_received_and_accounted_for(spool: Spool, tmp_path: Path) -> None:
    fill(spool, 0, 3)
    counters = Counters(tmp_path / "stats/collect.json")
    counters.dropped("spool-full", "syslog-udp 10.0.0.9", 5)
    counters.save(spools={"test": spool.counts()})
    balance = balance_of(tmp_path)
    assert (balance.total("received"), balance.total("dropped"), balance.balances) == (8, 5, True)
    assert json.loads(json.dumps(balance.document()))["reasons"]["dropped"] == {
        "spool-full": {"syslog-udp 10.0.0.9": 5}
    }


def test_the_command_line_says_whether_it_balances_and_lists_the_dead(
    spool: Spool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(spool, 0, 2, lambda n: b"poison" if n else b"message 0")
    sink = writer(tmp_path)
    storer = Storer(tmp_path, event_of, sink)
    storer.step()
    storer.commit()
    sink.close()
    assert main(["--data", str(tmp_path), "--json", "stats"]) == 0
    assert json.loads(capsys.readouterr().out)["dead"] == 1
    assert main(["--data", str(tmp_path), "stats"]) == 0
    assert "dead: no-event: syslog-udp 10.0.0.1: 1" in capsys.readouterr().out
    assert main(["--data", str(tmp_path), "stats", "--dead"]) == 0
    assert json.loads(capsys.readouterr().out)["reason"] == "no-event"
    store = json.loads((tmp_path / "stats/store.json").read_text())
    next(iter(store["spools"].values()))["stored"] = {}
    (tmp_path / "stats/store.json").write_text(json.dumps(store))
    assert main(["--data", str(tmp_path), "stats"]) == 1
    assert "DOES NOT BALANCE" in capsys.readouterr().out


def test_a_loss_nobody_counted_shows(spool: Spool, tmp_path: Path) -> None:
    for n in range(5):
        fill(spool, n * 20, 20)
    spool.close()
    oldest = min(spool.directory.glob("*.seg"))
    oldest.unlink()
    sink = writer(tmp_path)
    storer = Storer(tmp_path, event_of, sink)
    while storer.step():
        pass
    storer.commit()
    sink.close()
    balance = balance_of(tmp_path)
    assert not balance.balances
    assert balance.total("missing") > 0
    assert balance.missing_octets > 0


def test_damage_in_the_spool_shows(spool: Spool, tmp_path: Path) -> None:
    fill(spool, 0, 5)
    spool.close()
    path = next(spool.directory.glob("*.seg"))
    octets = bytearray(path.read_bytes())
    octets[40] ^= 1
    path.write_bytes(octets)
    balance = balance_of(tmp_path)
    assert (balance.balances, balance.total("missing")) == (False, 1)


def test_commits_are_soon_enough_for_the_promise() -> None:
    assert storing.COMMIT_S + storing.IDLE_S < 5 / 2


class EventsOnly:
    """A sink that takes no columns, and refuses what says so."""

    def __init__(self) -> None:
        self.checkpoint: dict[str, Any] = {}
        self.events: list[Event] = []

    def write(self, events: Sequence[Event]) -> Sequence[Refusal]:
        refused = [Refusal(index=n, reason="type-conflict: x") for n, e in enumerate(events) if "refuse" in e.original]
        self.events += [e for e in events if "refuse" not in e.original]
        return refused

    def commit(self, checkpoint: Mapping[str, Any]) -> None:
        self.checkpoint = dict(checkpoint)

    def close(self) -> None:
        pass


def test_a_store_of_events_gets_events_and_its_refusals_are_dead_letters(spool: Spool, tmp_path: Path) -> None:
    fill(spool, 0, 9, lambda n: b"refuse" if n == 4 else b"poison" if n == 5 else b"message %d" % n)
    sink = EventsOnly()
    storer = Storer(tmp_path, event_of, sink)
    assert storer.step() == 9
    storer.commit()
    assert [e.text("message") for e in sink.events] == [f"message {n}" for n in range(9) if n not in (4, 5)]
    assert sorted(x["reason"] for x in dead_letters(tmp_path)) == ["no-event", "type-conflict"]
    balance = saved(spool, tmp_path)
    assert (balance.total("stored"), balance.total("dead"), balance.balances) == (7, 2, True)
