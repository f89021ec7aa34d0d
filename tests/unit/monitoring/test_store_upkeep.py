"""Upkeep of the store: merging and expiry change no answer and lose nothing that is due to stay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from uuid import UUID, uuid4

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring import ecs, rows
from monitoring.event import Event, Value
from monitoring.store import Retention, RetentionRule, Store, StoreWriter, _columns, _maintenance, _manifest, _merging
from monitoring.store._manifest import Manifest, Segment
from monitoring.store._segment import write_tables
from tests.unit.monitoring.stored import NOON, event, numbers, put


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[StoreWriter]:
    with StoreWriter(tmp_path) as opened:
        yield opened


def test_merging_changes_no_answer_and_leaves_few_files(tmp_path: Path, writer: StoreWriter) -> None:
    for start in range(0, 160, 10):
        put(writer, [event(n, NOON + timedelta(seconds=n), **{"canh.x": n}) for n in range(start, start + 10)])
        writer.maintain(NOON)
    store = Store(tmp_path)
    assert len(store.manifest().segments) <= 12
    before = list(store.search(limit=None))
    writer.maintain(NOON + timedelta(hours=2))
    assert len(store.manifest().segments) == 1
    assert list(store.search(limit=None)) == before
    assert sum(s.rows for s in store.manifest().segments) == 160


def test_the_hours_of_a_quiet_day_become_one_segment(tmp_path: Path, writer: StoreWriter) -> None:
    for hour in range(-12, 12):
        put(writer, [event(hour + 12, NOON + timedelta(hours=hour))])
    writer.maintain(NOON + timedelta(days=1))
    writer.maintain(NOON + timedelta(days=1))
    assert [s.hour for s in Store(tmp_path).manifest().segments] == ["20261122"]
    assert numbers(Store(tmp_path)) == list(range(23, -1, -1))


def test_a_reader_with_an_older_manifest_still_finds_its_files(tmp_path: Path, writer: StoreWriter) -> None:
    for n in range(8):
        put(writer, [event(n)])
    old = _manifest.load(tmp_path / "store")
    writer.maintain(NOON)
    assert all((tmp_path / "store" / s.file).exists() for s in old.segments)
    writer.maintain(NOON + timedelta(minutes=5))
    assert not any((tmp_path / "store" / s.file).exists() for s in old.segments)
    assert numbers(Store(tmp_path)) == list(range(7, -1, -1))


def test_a_search_goes_on_when_its_files_are_merged_away(
    tmp_path: Path, writer: StoreWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitoring.store._reader.SLICE", 3)
    for n in range(8):
        put(writer, [event(n, NOON + timedelta(seconds=n))])
    found = Store(tmp_path).search(limit=None)
    first = [int(next(found).id[-12:]) for _ in range(3)]
    writer.maintain(NOON)
    writer.maintain(NOON + timedelta(minutes=5))
    assert first + [int(e.id[-12:]) for e in found] == list(range(7, -1, -1))


def test_each_data_set_expires_by_its_own_time(tmp_path: Path) -> None:
    rule = RetentionRule(name="polls", data_set="snmp.interface", keep=timedelta(days=1))
    with StoreWriter(tmp_path, retention=Retention(keep=timedelta(days=90), rules=(rule,))) as opened:
        put(
            opened,
            [event(1), event(2, **{"event.dataset": "snmp.interface"}), event(3, **{"event.dataset": "snmp.system"})],
        )
        opened.maintain(NOON + timedelta(days=2))
        assert sorted(numbers(Store(tmp_path))) == [1, 3]
        opened.maintain(NOON + timedelta(days=89))
        assert sorted(numbers(Store(tmp_path))) == [1, 3]
        opened.maintain(NOON + timedelta(days=92))
        assert numbers(Store(tmp_path)) == []


def test_segments_of_an_older_column_list_are_read_with_the_new(
    tmp_path: Path, writer: StoreWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column that was added later is found in the JSON its values stood in; also after a merge."""
    fields: dict[str, Value] = {
        "rule.name": "x",
        "event.category": ("a", "b"),
        "source.port": 5,
        "canh.src.known": True,
    }
    with monkeypatch.context() as older:
        kept = tuple(f for f in ecs.columns() if f.name not in fields)
        older.setattr(ecs, "columns", lambda: kept)
        _forget_columns()
        put(writer, [event(1, **fields)])
    _forget_columns()
    put(writer, [event(2, **{**fields, "rule.name": "y"})])
    store = Store(tmp_path)
    assert len({s.columns for s in store.manifest().segments}) == 2
    query = "rule.name:x AND event.category:b AND source.port:[1 TO 9] AND canh.src.known:true"
    for _ in ("as written", "merged"):
        assert sorted(numbers(store)) == [1, 2]
        assert numbers(store, query) == [1]
        assert store.get([event(1).id]) == [event(1, **fields)]
        writer.maintain(NOON + timedelta(hours=3))
    assert len(store.manifest().segments) == 1


@pytest.mark.parametrize("most_held", [10_000, 12])
def test_rows_come_newest_first_in_whole_groups_wherever_they_stood(tmp_path: Path, most_held: int) -> None:
    """Every order of arrival, times that jump, the same moment in many rows: none is lost, none comes twice.

    Where too many would have to be held, the order is the best there is.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_merging, "ROWS", 8)
        patch.setattr(_merging, "MOST_HELD", most_held)

        @settings(max_examples=20, deadline=None)
        @given(minutes=st.lists(st.lists(st.integers(-3000, 3000), min_size=1, max_size=30), min_size=1, max_size=6))
        def law(minutes: list[list[int]]) -> None:
            folder = tmp_path / uuid4().hex
            segments, number = [], 0
            for part, times in enumerate(minutes):
                events = [event(number + n, NOON + timedelta(minutes=m)) for n, m in enumerate(times)]
                number += len(times)
                table = _columns.table_of(events)
                groups = [table.slice(begin, 7) for begin in range(0, len(table), 7)]
                segments.append(write_tables(folder, f"log/2026112212/{part}.parquet", groups, level=0))
            tables = list(_merging.newest_first(folder, segments))
            assert all(len(table) == 8 for table in tables[:-1])
            rows = [row for table in tables for row in table.to_pylist()]
            moments = [row["@timestamp"] for row in rows]
            assert most_held < number or moments == sorted(moments, reverse=True)
            assert sorted(Event(_columns.event_of(row).fields).id for row in rows) == [
                event(n).id for n in range(number)
            ]

        law()


def test_segments_of_another_program_are_merged_as_our_own(tmp_path: Path, writer: StoreWriter) -> None:
    """As merges were written before: by DuckDB, which names inner types in its own way."""
    kept = {"event.category": ("a", "b"), "source.ip": "10.0.0.1", "source.port": 5, "canh.x": "y"}
    for start in range(0, 160, 40):
        put(writer, [event(n, NOON + timedelta(seconds=n), **kept) for n in range(start, start + 40)])
    before = list(Store(tmp_path).search(limit=None))
    for segment in Store(tmp_path).manifest().segments:
        path = tmp_path / "store" / segment.file
        with duckdb.connect() as database:
            database.execute(
                f"COPY (SELECT * FROM '{path}' ORDER BY \"@timestamp\" DESC) TO '{path}.new' (FORMAT parquet)"
            )
        Path(f"{path}.new").replace(path)
    assert list(Store(tmp_path).search(limit=None)) == before
    writer.maintain(NOON + timedelta(hours=2))
    assert [s.rows for s in Store(tmp_path).manifest().segments] == [160]
    assert list(Store(tmp_path).search(limit=None)) == before
    assert len(list(Store(tmp_path).search("source.ip:10.0.0.0/24 AND event.category:b", limit=None))) == 160


def test_what_a_backlog_is_stored_in_is_not_merged_with_crumbs() -> None:
    assert [_maintenance.level_of(rows) for rows in (1, 3000, 10_000, 50_000)] == [0, 0, 1, 2]
    written = [
        Segment(file=f"log/2026112212/{n}.parquet", level=2, rows=50_000, octets=1, min_us=0, max_us=1, columns="x")
        for n in range(20)
    ]
    assert not _maintenance.plan(Manifest(segments=tuple(written[:19])), NOON)
    due = _maintenance.plan(Manifest(segments=tuple(written)), NOON)
    assert [len(m.parts) for m in due] == [20]
    merged = replace(written[0], level=due[0].level, rows=1_000_000)
    assert not _maintenance.plan(Manifest(segments=(merged, merged)), NOON + timedelta(hours=2)), "once is enough"


def _forget_columns() -> None:
    for made_once in (_columns.schema, _columns.schema_hash, rows._listed):
        made_once.cache_clear()


segment_lists = st.lists(
    st.tuples(
        st.sampled_from(["2026112210", "2026112211", "2026112212", "2026112112"]),
        st.integers(0, 3),
        st.integers(1, 10**7),
    ),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(parts=segment_lists)
def test_a_plan_merges_each_segment_at_most_once_and_stays_within_its_span(parts: list[tuple[str, int, int]]) -> None:
    segments = tuple(
        Segment(file=f"log/{hour}/{n}.parquet", level=level, rows=rows, octets=1, min_us=0, max_us=1, columns="x")
        for n, (hour, level, rows) in enumerate(parts)
    )
    merges = _maintenance.plan(Manifest(segments=segments), NOON + timedelta(minutes=30))
    used = [part.file for merge in merges for part in merge.parts]
    assert len(used) == len(set(used)) and set(used) <= {s.file for s in segments}
    for merge in merges:
        assert len(merge.parts) > 1
        assert all(part.hour.startswith(merge.span) for part in merge.parts)
        assert sum(part.rows for part in merge.parts) <= _maintenance.MOST_ROWS


def test_a_clock_set_ahead_while_we_run_ends_no_retention(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ahead(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(days=400)

    with StoreWriter(tmp_path) as writer:
        when = datetime.now(UTC).isoformat(timespec="microseconds")[:26] + "Z"
        writer.write([Event({"event.id": str(UUID(int=1)), "@timestamp": when, "event.ingested": when})])
        writer.commit({})
        for module in ("monitoring.retention", "monitoring.store._writer"):
            monkeypatch.setattr(f"{module}.datetime", Ahead)
        writer.maintain()
        assert len(writer._manifest.segments) == 1, "the clock is believed by an hour, and not by a year"
        writer.maintain(datetime.now(UTC) + timedelta(days=400))
        assert not writer._manifest.segments, "when the time has really passed it goes"
