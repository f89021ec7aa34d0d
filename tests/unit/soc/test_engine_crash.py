"""Killed anywhere and started again, detection raises the same alerts, once."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.ahead import Ahead, Extent
from monitoring.pipeline import Pipeline
from monitoring.spool import Received, Spool, SpoolReader, SpoolRecord
from soc import tails
from soc.cases import CaseStore
from soc.detector import Detector
from soc.looks import Looker, Looks
from tests.unit.soc.engine_support import ROOT, START, Remembered, lab, own_rules

LATENESS = timedelta(seconds=2)
BEGIN = datetime.now(UTC) - timedelta(hours=2)
SPOOL_ID = UUID("99999999-2222-5333-8444-555555555555")


def lines(seed: int, n: int) -> list[tuple[datetime, bytes, str]]:
    """(received, line, sender): guessing, scanning, sudo, configuration by hand, and much that is nothing."""
    chance = random.Random(seed)
    made = []
    now = BEGIN
    for number in range(n):
        now += timedelta(milliseconds=chance.randrange(1, 400))
        stamp = (now - timedelta(milliseconds=chance.randrange(1500))).isoformat()
        source = f"10.250.65.{chance.randrange(10, 14)}"
        kind = chance.random()
        if kind < 0.25:
            app, text = "sshd", f"Failed password for u{chance.randrange(9)} from {source} port {number % 60000} ssh2"
        elif kind < 0.28:
            app, text = "sshd", f"Accepted publickey for thanh from {source} port {number % 60000} ssh2"
        elif kind < 0.32:
            app, text = "sudo", f"thanh : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/x{chance.randrange(3)}"
        elif kind < 0.5:
            port = chance.randrange(20, 60)
            app = "ulogd"
            text = (
                f"canh:deny:forward IN=eth1 OUT=eth3 SRC={source} DST=10.250.64.10 LEN=60 PROTO=TCP SPT=4000 DPT={port}"
            )
        elif kind < 0.6:
            step = chance.choice(
                ["# configure terminal", "(config)# do show run", "(config)# ip route x", "(config)# end"]
            )
            app, text = "zebra", f"[VTVCM-Y2NW3] vty[{chance.randrange(3)}]@{step}"
        else:
            app, text = "systemd", f"Finished job {number}."
        made.append((now, f"<38>1 {stamp} dc-app1 {app} 1 - - {text}".encode(), "10.250.64.10"))
    return made


def spooled(data_dir: Path, seed: int, n: int) -> None:
    spool = Spool(data_dir / "spool" / "collect")
    batch = [
        Received(raw, round(received.timestamp() * 1_000_000), "syslog-tcp", peer, 514)
        for received, raw, peer in lines(seed, n)
    ]
    spool.append(batch)
    spool.close()


def detect(data_dir: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "canh", "--data", str(data_dir), "detect", "--lateness", "2"]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)


def alerts_of(data_dir: Path) -> dict[str, tuple[object, ...]]:
    with sqlite3.connect(data_dir / "soc.db") as db:
        rows = db.execute("SELECT id, rule_id, count, first_seen, last_seen, events FROM alerts").fetchall()
    return {row[0]: tuple(row) for row in rows}


def is_done(data_dir: Path) -> bool:
    """All of the spool is taken, nothing waits, everything is delivered."""
    stats = data_dir / "stats" / "detect.json"
    if not stats.exists():
        return False
    said = json.loads(stats.read_text())
    if said["octets_behind"] or said["waiting"] or not said["events"]:
        return False
    with sqlite3.connect(f"file:{data_dir}/detect.db?mode=ro", uri=True) as db:
        return bool(db.execute("SELECT count(*) FROM outbox").fetchone() == (0,))


def run_through(data_dir: Path, helpers: int = 0) -> None:
    """An unkilled run, in this process."""
    detector = Detector(
        rules=own_rules(),
        parsing=Pipeline(lab(), data_dir),
        data_dir=data_dir,
        cases=CaseStore(data_dir),
        lateness=LATENESS,
        helpers=helpers,
    )
    while detector.step():
        pass
    detector.commit()
    detector._deliver(everything=True)
    detector.close()


def committed(data_dir: Path) -> int:
    """How far the detector has come by its own word; 0 before its first commit."""
    try:
        with sqlite3.connect(f"file:{data_dir}/detect.db?mode=ro", uri=True) as db:
            return int((db.execute("SELECT max(position) FROM position").fetchone() or [0])[0] or 0)
    except sqlite3.OperationalError:
        return 0


def finish(data_dir: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 90
    while not is_done(data_dir):
        assert time.monotonic() < deadline, "detection did not finish"
        assert process.poll() is None, "detection ended by itself"
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


@pytest.mark.timeout(240)
def test_a_killed_detector_raises_what_an_unkilled_one_raises(tmp_path: Path) -> None:
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    for data_dir in (whole, torn):
        spooled(data_dir, seed=7, n=2000)
    # The same spool twice: ids of events, and so of alerts, come from its UUID.
    (torn / "spool/collect/spool.json").write_bytes((whole / "spool/collect/spool.json").read_bytes())
    for path in (torn / "spool/collect").glob("*.seg"):
        path.write_bytes((whole / "spool/collect" / path.name).read_bytes())
    run_through(whole)

    chance = random.Random(3)
    end = SpoolReader(torn / "spool/collect").end
    kills = 0
    while kills < 2 and committed(torn) < end:
        process, before = detect(torn), committed(torn)
        while committed(torn) == before and process.poll() is None:
            time.sleep(0.01)
        time.sleep(chance.random() * 0.3)
        process.kill()
        kills += process.wait() == -signal.SIGKILL
    assert kills, "the detector was through before it could be killed"
    finish(torn, detect(torn))

    expected, found = alerts_of(whole), alerts_of(torn)
    assert len(expected) > 10
    assert found == expected


@settings(max_examples=8, deadline=None)
@given(st.data())
def test_a_crash_at_any_step_changes_no_alert(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    seed = data.draw(st.integers(0, 50))
    crashes = data.draw(st.lists(st.integers(1, 12), max_size=6))
    whole = run_with(tmp_path_factory.mktemp("whole"), seed, [])
    torn = run_with(tmp_path_factory.mktemp("torn"), seed, crashes)
    assert torn.facts() == whole.facts()
    assert whole.alerts


def run_with(data_dir: Path, seed: int, crashes: list[int]) -> Remembered:
    """The alerts of a run that crashes after so many steps each time; odd ones crash while delivering."""
    directory = data_dir / "spool" / "collect"
    directory.mkdir(parents=True)
    (directory / "spool.json").write_text(json.dumps({"id": str(SPOOL_ID)}))
    spooled(data_dir, seed, 200)
    cases = Remembered()
    for steps in [*crashes, 0]:
        detector = Detector(
            rules=own_rules(),
            parsing=Pipeline(lab(), data_dir),  # as after a crash: it remembers nothing
            data_dir=data_dir,
            cases=cases,
            lateness=LATENESS,
            batch=23,
            clock=lambda: START,
        )
        cases.broken = bool(steps % 2)
        left = steps or 1000
        while left and detector.step():
            left -= 1
        if not steps:
            cases.broken = False
            detector.detection.flush(START)
            detector.commit()
            detector._deliver(everything=True)
        detector.close()
    return cases


@pytest.mark.parametrize("helpers", [1, 4])
def test_alerts_are_the_same_with_any_number_of_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, helpers: int
) -> None:
    alone, helped = tmp_path / "alone", tmp_path / "helped"
    spooled(alone, seed=11, n=2000)
    shutil.copytree(alone, helped)
    run_through(alone)
    monkeypatch.setattr(tails, "BEHIND_OCTETS", 0)
    monkeypatch.setattr(tails, "BATCH_AHEAD", 120)
    asked, take = [], Ahead.take

    def counted(ahead: Ahead[Looks], directory: Path, position: int) -> tuple[Looks, Extent]:
        asked.append(position)
        return take(ahead, directory, position)

    monkeypatch.setattr(Ahead, "take", counted)
    run_through(helped, helpers)
    assert len(asked) >= 2000 / 120  # all of it was worked on by others
    assert alerts_of(helped) == alerts_of(alone)
    assert alerts_of(helped)


def test_helpers_end_when_nobody_needs_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spooled(tmp_path, seed=13, n=3000)
    monkeypatch.setattr(tails, "BEHIND_OCTETS", 100_000)
    monkeypatch.setattr(tails, "BATCH_AHEAD", 200)
    monkeypatch.setattr(tails, "KEEP_HELPERS_S", 0.2)
    looker = Looker(Pipeline(lab(), tmp_path), own_rules())
    several = tails.Tails(tmp_path, looker, {}, helpers=2)
    needed = False
    while several.take().records:
        needed |= bool(several._ahead)
    assert needed and several._ahead
    time.sleep(0.3)
    several.take()
    assert not several._ahead
    several.close()


def test_a_helper_that_dies_costs_no_alert(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone, helped = tmp_path / "alone", tmp_path / "helped"
    spooled(alone, seed=12, n=1500)
    shutil.copytree(alone, helped)
    run_through(alone)
    monkeypatch.setattr(tails, "BEHIND_OCTETS", 0)
    monkeypatch.setattr(tails, "BATCH_AHEAD", 200)
    found = Looker.__call__

    def dies_once(self: Looker, records: list[SpoolRecord], word: object = None) -> Looks:
        if os.getpid() != ours and not died.exists():
            died.touch()
            os._exit(9)
        return found(self, records, word)

    ours, died = os.getpid(), tmp_path / "died"
    monkeypatch.setattr(Looker, "__call__", dies_once)
    run_through(helped, 2)
    assert died.exists()
    assert alerts_of(helped) == alerts_of(alone)
