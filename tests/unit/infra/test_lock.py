"""One command at a time on a lab, whatever was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from infra import lock
from infra.errors import LabBusy
from tests.unit.infra.goldens import assert_reads

HOLD = """
import subprocess, sys
from pathlib import Path
from infra import lock
with lock.held("unit", print, Path(sys.argv[1])) as descriptor:
    child = subprocess.Popen(["sleep", sys.argv[2]], pass_fds=(descriptor,)) if len(sys.argv) > 2 else None
    print("held", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path, *words: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_live_owner_is_named_at_once(tmp_path: Path) -> None:
    with holder(tmp_path) as owner:
        with pytest.raises(LabBusy) as refused, lock.held("unit", print, tmp_path):
            pass
        text = str(refused.value).replace(str(owner.pid), "PID").replace(str(tmp_path), "DIR")
        owner.kill()
    assert_reads("busy", text)


def test_a_killed_owner_leaves_the_lab_free(tmp_path: Path) -> None:
    with holder(tmp_path) as owner:
        os.kill(owner.pid, signal.SIGKILL)
        os.waitid(os.P_PID, owner.pid, os.WEXITED | os.WNOWAIT)  # dead, and still a zombie
        with lock.held("unit", print, tmp_path):
            pass
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_owner_started_is_waited_for(tmp_path: Path) -> None:
    said: list[str] = []
    with holder(tmp_path, "1") as owner:
        os.kill(owner.pid, signal.SIGKILL)
        os.waitid(os.P_PID, owner.pid, os.WEXITED | os.WNOWAIT)
        with lock.held("unit", said.append, tmp_path):
            pass
    assert said == ["waiting for what is left of a killed command to end"]


def test_another_lab_is_not_in_the_way(tmp_path: Path) -> None:
    with lock.held("one", print, tmp_path), lock.held("two", print, tmp_path):
        assert len(list(tmp_path.iterdir())) == 2
