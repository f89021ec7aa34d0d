"""The detector on real spools: live, several at once, with a case store that fails, with rules that change."""

from __future__ import annotations

import json
import sqlite3
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.pipeline import Pipeline
from monitoring.spool import Received, Spool, SpoolReader, SpoolRecord
from soc.alert import Resolution
from soc.cases import CaseStore
from soc.detector import DetectError, Detector
from soc.errors import DatabaseError
from soc.inputs import Inputs, Loaded
from soc.looks import Look, Looks
from soc.sigma import RuleSet, encode
from soc.tails import Tails
from tests.unit.pace import eventually
from tests.unit.soc.engine_support import Remembered, lab, own_rules, rules_of

LOUD = """
    title: Refused
    id: 00000000-0000-4000-8000-000000000001
    name: refused
    logsource: {category: authentication}
    detection:
        selection: {event.action: login, event.outcome: failure}
        condition: selection
    level: low
"""
COUNTED = """
    title: Guessing
    id: 00000000-0000-4000-8000-000000000002
    correlation:
        type: event_count
        rules: [refused]
        group-by: [source.ip]
        timespan: 1m
        generate: true
        condition: {gte: 3}
    level: high
"""


def failed_line(when: datetime, address: str = "10.250.65.10") -> Received:
    raw = f"<38>1 {when.isoformat()} dc-app1 sshd 811 - - Failed password for thanh from {address} port 4000 ssh2"
    return Received(raw.encode(), round(when.timestamp() * 1e6), "syslog-tcp", "10.250.64.10", 514)


def detector_of(data_dir: Path, cases: Remembered, rules: RuleSet | None = None, lateness: float = 0.2) -> Detector:
    return Detector(
        rules=rules or own_rules(),
        parsing=Pipeline(lab(), data_dir),
        data_dir=data_dir,
        cases=cases,
        lateness=timedelta(seconds=lateness),
    )


def drain(detector: Detector, seconds: float = 0.0) -> None:
    until = time.monotonic() + seconds
    while detector.step() or time.monotonic() < until:
        pass


def titles(cases: Remembered) -> set[str]:
    return {alert.title for alert in cases.alerts.values()}


def finish(detector: Detector) -> None:
    """As `run` does when it is stopped."""
    drain(detector)
    detector.commit()
    detector._deliver(everything=True)


def test_a_match_is_an_alert_at_once_and_a_correlation_after_its_lateness(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool/collect")
    cases = Remembered()
    detector = detector_of(tmp_path, cases, rules_of(tmp_path / "rules", LOUD, COUNTED))
    spool.append([failed_line(datetime.now(UTC)) for _ in range(3)])
    seen: list[str] = []  # in this order; how soon: `python -m tests.bench alerts`

    def look() -> bool:
        detector.step()
        seen.extend(alert.title for alert in cases.alerts.values() if alert.title not in seen)
        return len(seen) == 2

    eventually(look)
    assert seen == ["Refused", "Guessing"]
    detector.close()


def test_an_alert_keeps_its_events_and_names_device_site_and_group(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool/collect")
    start = datetime.now(UTC) - timedelta(minutes=5)
    spool.append([failed_line(start + timedelta(seconds=n)) for n in range(8)])
    cases = Remembered()
    detector = detector_of(tmp_path, cases)
    finish(detector)
    (alert,) = cases.alerts.values()
    assert (alert.title, alert.device, alert.site) == ("Many failed logins from one address", "dc-app1", "dc")
    assert alert.group == (("source.ip", "10.250.65.10"),)
    assert (alert.count, len(alert.events)) == (8, 8)
    assert b"Failed password for thanh" in encode(alert.events[0])
    assert {f.pattern for f in alert.matches} >= {"gte 5 in 60 s"}
    detector.close()


def test_an_alert_of_a_chain_keeps_the_events_of_what_it_builds_on(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool/collect")
    start = datetime.now(UTC) - timedelta(minutes=5)
    lines = [failed_line(start + timedelta(seconds=n)) for n in range(6)]
    last = failed_line(start + timedelta(seconds=9))
    accepted = last.raw.replace(b"Failed password", b"Accepted publickey")
    spool.append([*lines, last._replace(raw=accepted)])
    cases = Remembered()
    detector = detector_of(tmp_path, cases)
    finish(detector)
    by_title = {alert.title: alert for alert in cases.alerts.values()}
    chain = by_title["Login succeeded after many failures"]
    assert [e.text("event.outcome") for e in chain.events] == ["failure"] * 6 + ["success"]
    assert set(by_title) == {"Login succeeded after many failures", "Many failed logins from one address"}
    detector.close()


class Everything:
    """Finds each record worth a look."""

    def __call__(self, records: Sequence[SpoolRecord], _word: object = None) -> Looks:
        moments = [round(record.received.timestamp() * 1e6) for record in records]
        looks = (Look(at, r.position, r.raw, {}, ()) for at, r in zip(moments, records, strict=True))
        return Looks(tuple(looks), max(moments, default=0))


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_batches_of_several_spools_leave_nothing_out(data: st.DataObject) -> None:
    """Whatever the moments of their records, and however many there are: each is taken once, in its spool's order."""
    begin = round(datetime(2026, 11, 22, tzinfo=UTC).timestamp()) * 1_000_000
    lengths = data.draw(st.lists(st.integers(0, 70), min_size=1, max_size=3))
    wild = data.draw(st.integers(0, 40))
    stop_after = data.draw(st.integers(1, 12))  # steps until one starts again from the positions
    names = [chr(ord("a") + n) for n in range(len(lengths))]
    with tempfile.TemporaryDirectory() as folder:
        for n, (name, length) in enumerate(zip(names, lengths, strict=True)):
            moments = [begin + 1_000_000 * (i * (n + 1) + (i * 7919) % (wild + 1)) for i in range(length)]
            records = [Received(f"{name}{i}".encode(), at, "r", "p", 1) for i, at in enumerate(moments)]
            spool = Spool(Path(folder) / "spool" / name)
            if records:
                spool.append(records)
            spool.close()
        tails, seen = Tails(Path(folder), Everything(), {}, batch=20), []
        for step in range(1, 200):
            taken = tails.take()
            seen += [look.encoded.decode() for look in taken.looks]
            assert all(look.received_us <= (taken.clock_us or 0) for look in taken.looks)
            if step % stop_after == 0:
                tails = Tails(Path(folder), Everything(), tails.positions, batch=20)
    for name, length in zip(names, lengths, strict=True):
        assert [text for text in seen if text[0] == name] == [f"{name}{i}" for i in range(length)]


def test_each_spool_has_its_own_checkpoint_also_one_that_comes_later(tmp_path: Path) -> None:
    start = datetime.now(UTC) - timedelta(minutes=5)
    spools = {name: Spool(tmp_path / "spool" / name) for name in ("collector", "collector-2")}
    cases = Remembered()
    for part in range(4):
        if part == 2:
            spools["collector-3"] = Spool(tmp_path / "spool/collector-3")
        for number, spool in enumerate(spools.values()):
            when = start + timedelta(seconds=part * 10 + number)
            spool.append([failed_line(when, f"10.250.{number}.{part * 10 + n}") for n in range(5)])
        made = detector_of(tmp_path, cases, rules_of(tmp_path / "rules", LOUD))
        finish(made)
        assert made.outbox.positions() == {str(s.id): s.end for s in spools.values()}
        made.close()
    seen = [event.text("source.ip") for alert in cases.alerts.values() for event in alert.events]
    assert len(seen) == len(set(seen)) == 4 * 5 * 2 + 2 * 5
    assert all(SpoolReader(s.directory).committed("detect") == s.end for s in spools.values())


def test_two_spools_are_one_stream(tmp_path: Path) -> None:
    start = datetime.now(UTC) - timedelta(minutes=5)
    for name, odd in (("a", 0), ("b", 1)):
        lines = [failed_line(start + timedelta(seconds=n)) for n in range(odd, 8, 2)]
        Spool(tmp_path / "spool" / name).append(lines)
    cases = Remembered()
    detector = detector_of(tmp_path, cases)
    finish(detector)
    (alert,) = cases.alerts.values()
    assert alert.count == 8
    detector.close()


def test_alerts_wait_for_a_case_store_that_fails(tmp_path: Path) -> None:
    Spool(tmp_path / "spool/collect").append([failed_line(datetime.now(UTC) - timedelta(minutes=5))])
    cases = Remembered()
    cases.broken = True
    detector = detector_of(tmp_path, cases, rules_of(tmp_path / "rules", LOUD))
    drain(detector)
    assert not cases.alerts
    detector._stats.save(detector.detection, 0, force=True)
    assert "no space left" in json.loads((tmp_path / "stats/detect.json").read_text())["trouble"]
    detector.close()
    cases.broken = False
    again = detector_of(tmp_path, cases, rules_of(tmp_path / "rules", LOUD))
    drain(again)
    assert [alert.count for alert in cases.alerts.values()] == [1]
    again.close()


def test_only_one_detector_works_on_a_data_directory(tmp_path: Path) -> None:
    first = detector_of(tmp_path, Remembered())
    with pytest.raises(DetectError, match="another detector"):
        detector_of(tmp_path, Remembered())
    first.close()
    detector_of(tmp_path, Remembered()).close()


def test_a_state_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "detect.db").mkdir()
    with pytest.raises(DatabaseError, match="cannot be opened") as told:
        detector_of(tmp_path, Remembered())
    assert "fix:" in str(told.value)


def test_a_data_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DetectError, match="cannot be written") as told:
        detector_of(tmp_path / "file" / "data", Remembered())
    assert "fix: make it writable" in str(told.value)


def test_a_full_disk_ends_detection_with_a_reason_and_loses_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool/collect")
    start = datetime.now(UTC) - timedelta(minutes=5)
    spool.append([failed_line(start + timedelta(seconds=n / 10), f"10.250.65.{n % 200}") for n in range(400)])
    cases, rules = Remembered(), rules_of(tmp_path / "rules", LOUD, COUNTED)
    detector = detector_of(tmp_path, cases, rules)
    (pages,) = detector.outbox._db.execute("PRAGMA page_count").fetchone()
    detector.outbox._db.execute(f"PRAGMA max_page_count = {pages + 5}")
    with pytest.raises(DatabaseError, match="full") as told:
        drain(detector)
    assert "fix: free space" in str(told.value)
    detector.close()
    again = detector_of(tmp_path, cases, rules)
    finish(again)
    assert sum(alert.count for alert in cases.alerts.values() if alert.title == "Refused") == 400
    again.close()


def test_a_commit_that_sqlite_rolled_back_tells_why(tmp_path: Path) -> None:
    detector = detector_of(tmp_path, Remembered())
    detector.outbox._db.executescript(
        "CREATE TRIGGER full BEFORE INSERT ON meta BEGIN SELECT RAISE(ROLLBACK, 'database or disk is full'); END"
    )
    with pytest.raises(DatabaseError, match="disk is full"):
        detector.commit()
    detector.close()


def test_what_is_committed_outlives_a_power_cut(tmp_path: Path) -> None:
    detector = detector_of(tmp_path, Remembered())
    (level,) = detector.outbox._db.execute("PRAGMA synchronous").fetchone()
    assert level == 2  # FULL: the spool removes what the commit says is taken
    detector.close()


def test_a_sender_whose_clock_stands_still_raises_a_new_alert_for_a_new_attack(tmp_path: Path) -> None:
    spool, cases = Spool(tmp_path / "spool/collect"), CaseStore(tmp_path)
    now, stuck = [datetime(2026, 3, 2, 3, 0, tzinfo=UTC)], datetime(2026, 3, 1, 1, 0, tzinfo=UTC)
    detector = Detector(
        rules=rules_of(tmp_path / "rules", LOUD.replace("low", "informational"), COUNTED),
        parsing=Pipeline(lab(), tmp_path),
        data_dir=tmp_path,
        cases=cases,
        lateness=timedelta(seconds=0.2),
        clock=lambda: now[0],
    )
    for attack in (1, 2):
        received = round(now[0].timestamp() * 1e6)
        spool.append([failed_line(stuck)._replace(received_us=received + n) for n in range(5)])
        detector.step()
        now[0] += timedelta(seconds=20)
        detector.step()
        detector.commit()
        detector._deliver(everything=True)
        raised = [case for case in cases.list() if case.alert.title == "Guessing"]
        assert len(raised) == attack
        for case in raised:
            if case.is_open:
                why = "looked at it, it was a test"
                cases.close(case.id, actor="a", resolution=Resolution.BENIGN, reason=why, at=now[0])
        now[0] += timedelta(hours=3)
        detector.step()
    detector.close()


def test_a_changed_rule_counts_from_nothing_and_the_others_keep_their_state(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool/collect")
    start = datetime.now(UTC) - timedelta(seconds=40)
    spool.append([failed_line(start + timedelta(seconds=n)) for n in range(2)])
    cases = Remembered()
    other = COUNTED.replace("0002", "0003").replace("Guessing", "Guessing still")
    detector = detector_of(tmp_path, cases, rules_of(tmp_path / "rules", LOUD, COUNTED, other))
    drain(detector, 0.5)
    detector.commit()
    detector.close()
    changed = rules_of(tmp_path / "rules", LOUD, COUNTED.replace("timespan: 1m", "timespan: 2m"), other)
    again = detector_of(tmp_path, cases, changed)
    assert again.dropped_state == {"00000000-0000-4000-8000-000000000002"}
    spool.append([failed_line(datetime.now(UTC))])
    eventually(lambda: (again.step(), "Guessing still" in titles(cases))[1])
    assert "Guessing" not in titles(cases)
    with sqlite3.connect(tmp_path / "detect.db") as db:
        recorded = json.loads(db.execute("SELECT value FROM meta WHERE key = 'rules'").fetchone()[0])
    assert recorded["digest"] == changed.digest
    assert recorded["from"]
    again.close()


def test_what_is_delivered_and_ended_leaves_no_copy_behind(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool/collect")
    now = datetime.now(UTC)
    spool.append([failed_line(now - timedelta(hours=2)), failed_line(now - timedelta(hours=1), "10.250.65.11")])
    cases = Remembered()
    detector = detector_of(tmp_path, cases, rules_of(tmp_path / "rules", LOUD))
    finish(detector)
    with sqlite3.connect(tmp_path / "detect.db") as db:
        rows = [db.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in ("outbox", "episode", "evidence")]
    assert rows == [0, 0, 0]
    assert len(cases.alerts) == 2
    detector.close()


def test_a_state_of_another_layout_is_made_anew_from_the_spool(tmp_path: Path) -> None:
    Spool(tmp_path / "spool/collect").append([failed_line(datetime.now(UTC) - timedelta(minutes=5))])
    cases, rules = Remembered(), rules_of(tmp_path / "rules", LOUD)
    first = detector_of(tmp_path, cases, rules)
    finish(first)
    first.close()
    with sqlite3.connect(tmp_path / "detect.db") as db:
        db.execute("PRAGMA user_version = 1")
        db.execute("DROP TABLE position")
        db.execute("CREATE TABLE position (spool TEXT)")
    again = detector_of(tmp_path, cases, rules)
    finish(again)
    assert len(cases.alerts) == 1
    assert again.detection.events == 1
    again.close()


class Turned:
    """Inputs whose rules change when told."""

    trouble = ""

    def __init__(self) -> None:
        self.waiting: list[Loaded] = []

    def changed(self) -> Loaded | None:
        return self.waiting.pop() if self.waiting else None


@given(cut=st.integers(0, 30), held=st.booleans())
@settings(max_examples=25, deadline=None)
def test_rules_replaced_while_running_keep_the_windows_of_the_others(cut: int, held: bool) -> None:
    """Wherever in the stream: what did not change alerts as if nothing had happened, what is new counts from there."""
    begin = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
    records = [failed_line(begin + timedelta(seconds=n), f"10.250.65.{n % 2}") for n in range(30)]
    other = LOUD.replace("0001", "0007").replace("Refused", "New here").replace("name: refused", "name: new_here")
    facts = []
    for turns in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            data_dir = Path(folder)
            spool = data_dir / "spool" / "collect"
            spool.mkdir(parents=True)
            (spool / "spool.json").write_text(json.dumps({"id": "99999999-2222-5333-8444-555555555555"}))
            writer, cases, inputs = Spool(spool), Remembered(), Turned()
            detector = Detector(
                rules=rules_of(data_dir / "rules", LOUD, COUNTED),
                parsing=Pipeline(lab(), data_dir),
                inputs=cast(Inputs, inputs),
                data_dir=data_dir,
                cases=cases,
                lateness=timedelta(seconds=2),
                clock=lambda: begin,
            )
            if cut:
                writer.append(records[:cut])
                drain(detector)
            if turns:
                inputs.waiting.append(
                    Loaded(rules_of(data_dir / "others", LOUD, COUNTED, other), Pipeline(lab(), data_dir))
                )
                detector._looked_at = 0.0
            if held:
                detector.step()
            if records[cut:]:
                writer.append(records[cut:])
            drain(detector)
            detector.detection.flush(begin)
            finish(detector)
            detector.close()
            with sqlite3.connect(data_dir / "detect.db") as db:
                said = json.loads(db.execute("SELECT value FROM meta WHERE key = 'rules'").fetchone()[0])
            if turns:
                fresh = sum(a.count for a in cases.alerts.values() if a.title == "New here")
                assert fresh == 30 - cut
                assert (said["from"] != {}) is bool(cut)
            facts.append({fact for fact in cases.facts() if fact[1] != "00000000-0000-4000-8000-000000000007"})
    assert facts[0] == facts[1]
    assert facts[0]
