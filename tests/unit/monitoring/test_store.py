"""The store: what is committed is found, whole and once, by any process, whatever is killed."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.errors import StoreError
from monitoring.event import Event, Value
from monitoring.store import Store, StoreWriter, _columns, _duck, _manifest
from tests.unit.monitoring.lab import pipeline, record
from tests.unit.monitoring.stored import NOON, event, numbers, put


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[StoreWriter]:
    with StoreWriter(tmp_path) as opened:
        yield opened


# What goes in comes out


def test_a_stored_event_is_the_event(tmp_path: Path, writer: StoreWriter) -> None:
    made = pipeline()
    lines = (
        '<38>1 2026-11-22T03:19:58.5Z dc-r1 sshd 1 - [a b="c"]  Failed password for root from 10.250.65.10 port 5 ssh2',
        "<13>Nov 22 10:15:04 h đăng: nhập\x00thất bại",
        "",
    )
    events = [made.event_of(record(line, position=n)) for n, line in enumerate(lines)]
    put(writer, events)
    assert sorted(Store(tmp_path).search(), key=lambda e: e.id) == sorted(events, key=lambda e: e.id)


values = st.text(max_size=12) | st.integers() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)
names = st.sampled_from(
    [
        "message",
        "source.ip",
        "source.port",
        "event.category",
        "canh.source.known",
        "user.name",
        "canh.x",
        "a\"b'",
        "rest",
        "id",
    ]
)


@settings(max_examples=40, deadline=None)
@given(
    fields=st.dictionaries(names, values | st.lists(st.text(max_size=4), min_size=1, max_size=3).map(tuple), max_size=6)
)
def test_any_fields_survive_the_columns(fields: dict[str, Value]) -> None:
    """Also values of a type their column does not take: they go to the JSON column as they are."""
    before = Event({**event(1).fields, **fields})
    row = _columns.table_of([before]).to_pylist()[0]
    assert _columns.event_of(row) == before


def test_half_a_surrogate_pair_does_not_stop_a_batch(tmp_path: Path, writer: StoreWriter) -> None:
    put(writer, [event(1, message="\ud800"), event(2)])
    assert Store(tmp_path).count() == 2


# Order, limit, time


def test_events_come_newest_first_across_hours_and_segments(tmp_path: Path, writer: StoreWriter) -> None:
    order = list(range(60))
    random.Random(7).shuffle(order)
    for start in range(0, 60, 10):
        put(writer, [event(n, NOON + timedelta(minutes=7 * n)) for n in order[start : start + 10]])
    store = Store(tmp_path)
    assert numbers(store) == list(range(59, -1, -1))
    assert [int(e.id[-12:]) for e in store.search(limit=5)] == [59, 58, 57, 56, 55]
    assert numbers(store, start=NOON + timedelta(minutes=70), end=NOON + timedelta(minutes=140)) == list(
        range(19, 9, -1)
    )


def test_a_late_event_of_an_old_time_is_found_in_its_place(tmp_path: Path, writer: StoreWriter) -> None:
    late = event(9, NOON - timedelta(days=2))
    late = Event({**late.fields, "event.ingested": NOON.isoformat(timespec="microseconds")[:26] + "Z"})
    put(writer, [event(1, NOON - timedelta(days=1)), event(2, NOON)])
    put(writer, [late])
    assert numbers(Store(tmp_path)) == [2, 1, 9]


def test_all_events_are_paged_without_gap_or_double(
    tmp_path: Path, writer: StoreWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitoring.store._reader.SLICE", 7)
    put(writer, [event(n, NOON + timedelta(seconds=n // 4)) for n in range(100)])
    assert numbers(Store(tmp_path)) == sorted(range(100), key=lambda n: (n // 4, n), reverse=True)


def test_only_the_asked_fields(tmp_path: Path, writer: StoreWriter) -> None:
    put(writer, [event(1, source__ip="x", **{"source.ip": "10.0.0.1", "source.port": 5, "canh.rest": "r"})])
    found = next(Store(tmp_path).search(fields=("source", "canh.rest", "message")))
    assert dict(found.fields) == {"source.ip": "10.0.0.1", "source.port": 5, "canh.rest": "r", "message": "line 1"}


def test_numbers_for_the_console(tmp_path: Path, writer: StoreWriter) -> None:
    put(writer, [event(n, NOON + timedelta(minutes=n), **{"event.category": ("a", "b")}) for n in range(10)])
    store = Store(tmp_path)
    assert store.count("host.name:h0") == 4
    buckets = store.histogram(step=timedelta(minutes=5), by="host.name")
    assert [(b.start.minute, b.value, b.count) for b in buckets] == [
        (0, "h0", 2), (0, "h1", 2), (0, "h2", 1), (5, "h0", 2), (5, "h1", 1), (5, "h2", 2)
    ]  # fmt: skip
    hosts = {g.value: g for g in store.aggregate("host.name")}
    assert (hosts["h0"].count, hosts["h0"].first, hosts["h0"].last) == (4, NOON, NOON + timedelta(minutes=9))
    assert [(g.value, g.count) for g in store.aggregate("event.category")] == [("a", 10), ("b", 10)]
    assert [e.id for e in store.get([event(3).id, event(99).id, event(1).id])] == [event(3).id, event(1).id]


def test_a_store_that_does_not_exist_is_empty(tmp_path: Path) -> None:
    store = Store(tmp_path / "nothing")
    assert list(store.search("a:b")) == [] and store.count() == 0
    assert store.aggregate("host.name") == [] and store.histogram(step=timedelta(hours=1)) == []


# Content and checkpoint move together


def test_nothing_is_seen_before_commit(tmp_path: Path, writer: StoreWriter) -> None:
    writer.write([event(1)])
    assert Store(tmp_path).count() == 0 and writer.checkpoint == {}
    writer.commit({"position": 1})
    assert Store(tmp_path).count() == 1 and writer.checkpoint == {"position": 1}


def test_what_was_not_committed_is_gone(tmp_path: Path) -> None:
    with StoreWriter(tmp_path) as first:
        put(first, [event(1)], {"position": 1})
        first.write([event(2)])
    with StoreWriter(tmp_path) as second:
        assert second.checkpoint == {"position": 1}
        second.commit({"position": 2})
    assert numbers(Store(tmp_path)) == [1]


def test_a_second_writer_is_refused(tmp_path: Path, writer: StoreWriter) -> None:
    with pytest.raises(StoreError, match="another process writes this store"):
        StoreWriter(tmp_path)


def test_files_no_manifest_names_are_removed_at_start(tmp_path: Path) -> None:
    with StoreWriter(tmp_path) as first:
        put(first, [event(1)])
    orphan = tmp_path / "store/log/2026112212"
    (orphan / "half.parquet").write_bytes(b"PAR1")
    (orphan / ".half.parquet.part").write_bytes(b"PAR1")
    with StoreWriter(tmp_path):
        assert len(list(orphan.iterdir())) == 1
    assert numbers(Store(tmp_path)) == [1]


def test_a_full_disk_stores_nothing_of_the_batch(
    tmp_path: Path, writer: StoreWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(writer, [event(1)], {"position": 1})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    writer.write([event(2)])
    with monkeypatch.context() as patch:
        patch.setattr(_manifest, "publish", full)
        with pytest.raises(StoreError, match="No space left"):
            writer.commit({"position": 2})
    assert numbers(Store(tmp_path)) == [1] and writer.checkpoint == {"position": 1}
    assert len(list((tmp_path / "store").glob("*/*/*"))) == 1


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be written"):
        StoreWriter(tmp_path / "data")


def test_a_damaged_manifest_is_told_and_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store/manifest.json").write_text('{"format": 1')
    with pytest.raises(StoreError, match="manifest is damaged"):
        Store(tmp_path).count()
    with pytest.raises(StoreError, match="manifest is damaged"):
        StoreWriter(tmp_path)


# Killed at any moment


def _write_for_ever(folder: Path) -> None:
    """Number after number, the checkpoint saying which is next; maintenance in between."""
    with StoreWriter(folder) as opened:
        number = int(opened.checkpoint.get("position", 0))
        while True:
            put(
                opened,
                [event(n, NOON + timedelta(seconds=n)) for n in range(number, number + 5)],
                {"position": number + 5},
            )
            number += 5
            if number % 25 == 0:
                opened.maintain(NOON)


def test_a_killed_writer_leaves_every_event_once(tmp_path: Path) -> None:
    """kill -9 at random moments: content is always exactly what the checkpoint says, and a reader never fails."""
    chance = random.Random(20261122)
    context = multiprocessing.get_context("fork")
    seen = 0
    for _ in range(8):
        process = context.Process(target=_write_for_ever, args=(tmp_path,), daemon=True)
        process.start()
        until = time.monotonic() + chance.uniform(0.05, 0.5)
        while time.monotonic() < until:
            count = Store(tmp_path).count()  # reads beside the writer
            assert count >= seen and count % 5 == 0
            seen = count
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        stored = numbers(Store(tmp_path))
        checkpoint = _manifest.load(tmp_path / "store").checkpoint
        assert stored == list(range(int(checkpoint.get("position", 0)) - 1, -1, -1))
    assert seen > 50


def test_what_does_not_fit_in_memory_goes_where_only_we_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder's name can be known, so another user may have made it, or laid a link of that name."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def chosen() -> Path:
        found = _duck.connect().execute("SELECT current_setting('temp_directory')").fetchone()
        assert found is not None
        return Path(found[0])

    own = tmp_path / f"canh-duckdb-{os.getuid()}"
    assert chosen() == own and own.stat().st_mode & 0o777 == 0o700
    own.chmod(0o755)
    assert chosen() == own and own.stat().st_mode & 0o777 == 0o700
    own.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    own.symlink_to(tmp_path / "elsewhere")
    assert chosen().parent == tmp_path and chosen() != own
