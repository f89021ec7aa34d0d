"""The case store: delivered once, worked by people, nothing lost or undone."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import tempfile
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import soc.migrations
from soc import _schema
from soc.alert import Level, Resolution, Status
from soc.cases import CaseStore
from soc.errors import CaseError, Conflict, DatabaseError, UnknownAlert
from tests.unit.soc.alert_factory import LAB, NOW, alert, lab_alerts

WHY = "called the person in charge, on the way"


@pytest.fixture
def store(tmp_path: Path) -> CaseStore:
    return CaseStore(tmp_path)


def later(original: object, **changes: object) -> object:
    return dataclasses.replace(original, **changes)  # type: ignore[type-var]


def test_what_was_delivered_is_what_is_read(store: CaseStore) -> None:
    store.deliver(lab_alerts())
    for raised in lab_alerts():
        assert store.get(raised.id).alert == raised


def test_delivering_twice_changes_nothing(store: CaseStore) -> None:
    assert store.deliver(lab_alerts()) == len(LAB)
    before = store.since(0)
    assert store.deliver(lab_alerts()) == 0
    assert store.since(0) == before
    assert [e.action for e in store.history(alert(0).id)] == ["raised"]


def test_the_queue_is_sorted_by_deadline_and_those_without_one_come_last(store: CaseStore) -> None:
    store.deliver(lab_alerts())
    listed = store.list()
    due = [case.due_at for case in listed if case.due_at]
    assert due == sorted(due)
    assert listed[0].alert.level is Level.CRITICAL
    assert listed[-1].alert.level is Level.INFORMATIONAL and listed[-1].due_at is None


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"rule": "port-scan"}, {"port-scan"}),
        ({"device": "dc-fw1"}, {"port-scan", "undeclared-host"}),
        ({"site": "hh"}, {"config-without-change"}),
        ({"level": [Level.LOW, Level.INFORMATIONAL]}, {"sudo-refused", "login-succeeded"}),
        ({"since": NOW - timedelta(minutes=20)}, {"bruteforce-then-login", "neighbor-down"}),
        ({"text": "PORT scan"}, {"port-scan"}),
        ({"text": "%"}, set()),
        ({"status": [Status.CLOSED]}, set()),
        ({"due_before": NOW}, {"bruteforce-then-login"}),
    ],
)
def test_each_filter_narrows(store: CaseStore, filters: dict[str, object], expected: set[str]) -> None:
    store.deliver(lab_alerts())
    found = {case.alert.rule_id for case in store.list(**filters)}  # type: ignore[arg-type]
    assert found == expected
    assert store.count(**filters).get("", 0) == len(expected)  # type: ignore[arg-type]


def test_a_refire_grows_the_alert_and_moves_no_deadline(store: CaseStore) -> None:
    store.deliver([alert()])
    first = store.get(alert().id)
    grown = alert(count=40, last_seen=NOW)
    assert store.deliver([grown]) == 1
    case = store.get(alert().id)
    assert (case.alert.count, case.alert.last_seen, case.due_at) == (40, NOW, first.due_at)
    assert case.seq > first.seq and case.version == first.version


def test_a_refire_never_reopens_a_closed_alert_but_says_so_once(store: CaseStore) -> None:
    store.deliver([alert()])
    store.close(alert().id, actor="nhung", resolution=Resolution.TRUE_POSITIVE, reason=WHY, at=NOW)
    for count in (20, 30):
        store.deliver([alert(count=count, last_seen=NOW + timedelta(seconds=count))])
    case = store.get(alert().id)
    assert case.status is Status.CLOSED and case.resolution is Resolution.TRUE_POSITIVE
    assert case.recurrences == 30 - 15
    assert [e.action for e in store.history(case.id)] == ["raised", "closed", "refired"]


def test_an_older_delivery_does_not_shrink_the_alert(store: CaseStore) -> None:
    store.deliver([alert(count=40, last_seen=NOW)])
    assert store.deliver([alert(count=15)]) == 0
    assert store.get(alert().id).alert.count == 40


def test_every_action_is_in_the_history_with_who_when_and_why(store: CaseStore) -> None:
    store.deliver([alert()])
    id = alert().id
    store.acknowledge(id, actor="nhung", reason=WHY, until=NOW + timedelta(minutes=30), at=NOW)
    store.assign(id, actor="nhung", to="dat", at=NOW + timedelta(minutes=1))
    store.note(id, actor="dat", reason="the account is a contractor's", at=NOW + timedelta(minutes=2))
    store.close(id, actor="dat", resolution=Resolution.BENIGN, reason=WHY, at=NOW + timedelta(minutes=3))
    lines = [(e.actor, e.action, e.at) for e in store.history(id)][1:]
    assert lines == [
        ("nhung", "acknowledged", NOW),
        ("nhung", "assigned", NOW + timedelta(minutes=1)),
        ("dat", "noted", NOW + timedelta(minutes=2)),
        ("dat", "closed", NOW + timedelta(minutes=3)),
    ]
    assert store.history(id)[1].reason == WHY


def test_an_acknowledgement_pauses_the_clock_and_its_end_returns_the_alert(store: CaseStore) -> None:
    store.deliver([alert(2)])
    before = store.get(alert(2).id)
    until = NOW + timedelta(minutes=30)
    case = store.acknowledge(before.id, actor="nhung", reason=WHY, until=until, at=NOW)
    assert case.status is Status.ACKNOWLEDGED and case.assignee == "nhung"
    assert before.due_at and case.due_at == before.due_at + timedelta(minutes=30)
    assert store.return_expired(until - timedelta(seconds=1)) == 0
    assert store.return_expired(until) == 1
    back = store.get(before.id)
    assert (back.status, back.until, back.due_at) == (Status.NEW, None, case.due_at)
    assert store.history(before.id)[-1].actor == "canh"


def test_acknowledging_longer_adds_only_the_difference(store: CaseStore) -> None:
    store.deliver([alert(2)])
    due = store.get(alert(2).id).due_at
    for minutes, at in ((30, 0), (60, 10)):
        until = NOW + timedelta(minutes=minutes)
        store.acknowledge(alert(2).id, actor="nhung", reason=WHY, until=until, at=NOW + timedelta(minutes=at))
    assert due and store.get(alert(2).id).due_at == due + timedelta(minutes=60)


@pytest.mark.parametrize("reason", ["", "ok", "         \n ", "ngắn quá"])
def test_a_reason_too_short_is_refused_and_nothing_is_written(store: CaseStore, reason: str) -> None:
    store.deliver([alert()])
    before = store.get(alert().id)
    with pytest.raises(CaseError, match="at least 10"):
        store.close(alert().id, actor="nhung", resolution=Resolution.FALSE_POSITIVE, reason=reason, at=NOW)
    assert store.get(alert().id) == before


@pytest.mark.parametrize("minutes", [-1, 0, 60 * 24 * 7 + 1])
def test_an_acknowledgement_into_the_past_or_far_future_is_refused(store: CaseStore, minutes: int) -> None:
    store.deliver([alert()])
    with pytest.raises(CaseError):
        store.acknowledge(alert().id, actor="a", reason=WHY, until=NOW + timedelta(minutes=minutes), at=NOW)


def test_the_second_of_two_analysts_is_told_who_came_first(store: CaseStore) -> None:
    store.deliver([alert()])
    seen = store.get(alert().id).version
    store.assign(alert().id, actor="dat", to="dat", at=NOW, version=seen)
    with pytest.raises(Conflict) as caught:
        store.close(alert().id, actor="nhung", resolution=Resolution.BENIGN, reason=WHY, at=NOW, version=seen)
    assert (caught.value.actor, caught.value.at, caught.value.action) == ("dat", NOW, "assigned")
    assert store.get(alert().id).is_open


def test_a_refire_is_no_conflict(store: CaseStore) -> None:
    store.deliver([alert()])
    seen = store.get(alert().id).version
    store.deliver([alert(count=99, last_seen=NOW)])
    store.assign(alert().id, actor="dat", to="dat", at=NOW, version=seen)


def test_a_closed_alert_takes_notes_and_nothing_else(store: CaseStore) -> None:
    store.deliver([alert()])
    store.close(alert().id, actor="nhung", resolution=Resolution.BENIGN, reason=WHY, at=NOW)
    with pytest.raises(CaseError, match="closed"):
        store.assign(alert().id, actor="nhung", to="dat", at=NOW)
    store.note(alert().id, actor="nhung", reason="confirmed by the supplier", at=NOW)


def test_an_unknown_id_is_named(store: CaseStore) -> None:
    with pytest.raises(UnknownAlert, match="nothing-here"):
        store.get("nothing-here")


def test_since_gives_every_change_once_and_in_order(store: CaseStore) -> None:
    store.deliver(lab_alerts())
    mark = store.seq()
    assert store.since(mark) == ()
    store.assign(alert(3).id, actor="dat", to="dat", at=NOW)
    store.deliver([alert(1, nonce="second")])
    changed = store.since(mark)
    assert [c.alert.rule_id for c in changed] == ["neighbor-down", "config-without-change"]
    assert [c.created_seq > mark for c in changed] == [False, True]


def test_two_processes_worth_of_writers_lose_nothing(tmp_path: Path) -> None:
    stores = [CaseStore(tmp_path), CaseStore(tmp_path)]

    def deliver(store: CaseStore, name: str) -> None:
        for n in range(25):
            store.deliver([alert(nonce=f"{name}{n}")])

    threads = [threading.Thread(target=deliver, args=(s, n)) for s, n in zip(stores, "ab", strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seqs = [case.seq for case in stores[0].since(0)]
    assert len(seqs) == 50 and len(set(seqs)) == 50


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_files_made_by_root_belong_to_the_owner_of_the_directory(tmp_path: Path) -> None:
    os.chown(tmp_path, 777, 777)
    store = CaseStore(tmp_path)
    store.deliver([alert()])
    made = {path.name: path.stat() for path in tmp_path.iterdir()}
    assert {"soc.db", "soc.db-wal", "soc.db-shm"} <= set(made)
    assert {(s.st_uid, s.st_gid) for s in made.values()} == {(777, 777)}
    assert made["soc.db"].st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_and_the_platforms_user_work_the_same_file_in_either_order() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is closed to others
        data = Path(folder) / "data"
        data.mkdir()
        os.chown(folder, 777, 777)
        os.chown(data, 777, 777)
        CaseStore(data).deliver([alert()])
        child = os.fork()
        if child == 0:  # as canh: reads what root wrote, writes, and goes
            code = 1
            try:
                os.setgroups([])
                os.setgid(777)
                os.setuid(777)
                mine = CaseStore(data)
                mine.assign(alert().id, actor="dat", to="dat", at=NOW)
                code = 0 if mine.deliver([alert(1)]) == 1 else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        store = CaseStore(data)
        assert store.get(alert().id).assignee == "dat" and store.deliver([alert(2)]) == 1
        assert {path.stat().st_uid for path in data.iterdir()} == {777}


def test_a_data_directory_that_is_a_file_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("")
    with pytest.raises(DatabaseError, match="cannot be used"):
        CaseStore(tmp_path / "var")


def test_a_database_that_is_not_one_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "soc.db").write_bytes(b"this is not a database at all, it is text" * 40)
    with pytest.raises(DatabaseError):
        CaseStore(tmp_path)


def test_the_migrations_end_at_the_tables_the_code_uses(store: CaseStore) -> None:
    script = ScriptDirectory(str(Path(soc.migrations.__file__).parent))
    assert script.get_current_head() == _schema.HEAD
    with store.database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), _schema.metadata) == []


def test_the_database_is_readable_with_plain_sqlite(store: CaseStore, tmp_path: Path) -> None:
    store.deliver(lab_alerts())
    with sqlite3.connect(f"file:{tmp_path / 'soc.db'}?mode=ro", uri=True) as plain:
        assert plain.execute("select count(*) from alerts").fetchone() == (len(LAB),)
