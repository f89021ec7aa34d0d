"""What a verb's end says: wrong (2, ends a tree) or only not now (75, tried again)."""

from __future__ import annotations

import errno
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from canh import cli
from canh.verbs import stats
from inventory.errors import OpsError
from monitoring.spool import Received, Spool

ROOT = Path(__file__).resolve().parents[3]


def full(_args: object, _ctx: object) -> int:
    try:
        raise OSError(errno.ENOSPC, "No space left on device")
    except OSError as error:
        raise OpsError("cannot write") from error


def not_ours(_args: object, _ctx: object) -> int:
    try:
        raise OSError(errno.EACCES, "Permission denied")
    except OSError as error:
        raise OpsError("cannot write") from error


@pytest.mark.parametrize(("end", "code"), [(full, 75), (not_ours, 2)])
def test_what_passes_by_itself_is_told_from_what_does_not(
    end: object, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stats, "run", end)
    assert cli.main(["--data", str(tmp_path), "stats"]) == code


def test_detection_that_meets_a_locked_database_asks_to_be_started_again(tmp_path: Path) -> None:
    """A backup that holds detect.db longer than detection waits is no reason to stop receiving."""
    spool = Spool(tmp_path / "spool" / "collector")
    impatient = (
        "import sys; from soc import outbox; outbox.PATIENCE_S = 1.0; from canh.cli import main; sys.exit(main())"
    )
    command = [sys.executable, "-c", impatient, "--data", str(tmp_path), "detect"]
    detect = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert detect.stderr is not None
    while "correlations" not in detect.stderr.readline():
        assert detect.poll() is None
    backup = sqlite3.connect(tmp_path / "detect.db", isolation_level=None)
    backup.execute("BEGIN IMMEDIATE")
    spool.append([Received(b"<38>Nov 22 04:00:00 h x: y", time.time_ns() // 1000, "syslog-tcp", "10.250.64.10", 514)])
    assert detect.wait(60) == 75
    backup.close()
    assert "database is locked" in detect.stderr.read()
    assert "database is locked" in (tmp_path / "stats/detect.json").read_text("utf-8")


def test_a_state_that_is_no_database_cannot_be_run_with(tmp_path: Path) -> None:
    (tmp_path / "detect.db").mkdir()
    assert cli.main(["--data", str(tmp_path), "detect"]) == 2
