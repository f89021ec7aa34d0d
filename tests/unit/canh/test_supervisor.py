"""The supervisor with real child processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.pace import eventually

PROGRAM = """
import asyncio, os, sys
from canh import supervisor
from canh.supervisor import Child, supervise
supervisor.HEALTHY_AFTER_S = float(os.environ.get("HEALTHY_AFTER_S", supervisor.HEALTHY_AFTER_S))
children = [Child(name=n, command=tuple(c.split("\\x1f"))) for n, c in (a.split("=", 1) for a in sys.argv[1:])]
sys.exit(asyncio.run(supervise(children, lambda line: print(line, flush=True))))
"""


def start(**children: str) -> subprocess.Popen[str]:
    arguments = [f"{name}={sys.executable}\x1f-c\x1f{code}" for name, code in children.items()]
    root = Path(__file__).resolve().parents[3]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )


def lines_until(process: subprocess.Popen[str], text: str) -> list[str]:
    seen = []
    assert process.stdout is not None
    for line in process.stdout:
        seen.append(line.strip())
        if text in line:
            return seen
    raise AssertionError(f"{text!r} never came: {seen}")


SLEEPS = "import time; time.sleep(60)"


@pytest.fixture
def tree() -> Iterator[subprocess.Popen[str]]:
    process = start(first=SLEEPS, second=SLEEPS)
    yield process
    process.kill()
    process.wait()


def pid_in(line: str) -> int:
    return int(line.rsplit(" ", 1)[1])


def gone(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rsplit(")", 1)[1].split()[0] == "Z"


def test_a_killed_child_is_started_again(tree: subprocess.Popen[str]) -> None:
    pid = pid_in(lines_until(tree, "first started")[-1])
    os.kill(pid, signal.SIGKILL)
    assert "starting it again in 1 s" in lines_until(tree, "ended with -9")[-1]
    assert pid_in(lines_until(tree, "first started")[-1]) != pid


def test_stop_ends_every_child_in_order(tree: subprocess.Popen[str]) -> None:
    lines_until(tree, "second started")
    tree.terminate()
    stopped = [line for line in lines_until(tree, "second stopped") if "stopped" in line]
    assert stopped == ["first stopped", "second stopped"]
    assert tree.wait(60) == 0


def test_a_child_that_cannot_run_ends_the_tree_with_2() -> None:
    tree = start(bad="import sys; sys.exit(2)", good=SLEEPS)
    assert tree.wait(60) == 2


def test_a_child_that_has_run_well_ends_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALTHY_AFTER_S", "0.1")
    tree = start(good=SLEEPS, late="import sys, time; time.sleep(0.3); sys.exit(2)")
    lines_until(tree, "late ended with 2; starting it again")
    lines_until(tree, "late started")
    assert tree.poll() is None
    tree.terminate()
    assert tree.wait(60) == 0


def test_children_end_when_the_supervisor_is_killed(tree: subprocess.Popen[str]) -> None:
    lines = lines_until(tree, "second started")
    pids = [pid_in(line) for line in lines if "started" in line]
    tree.kill()
    eventually(lambda: all(gone(pid) for pid in pids))
