"""Processes that work on batches ahead."""

from __future__ import annotations

import os
from pathlib import Path

from monitoring.ahead import Ahead
from monitoring.spool import Received, Spool
from tests.unit.pace import eventually


def children() -> list[int]:
    """Of this process, also those that have ended and nobody took note of."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(state[1]) == os.getpid():
            found.append(int(path.parent.name))
    return found


def test_processes_that_ended_are_not_left_in_the_system_s_table(tmp_path: Path) -> None:
    Spool(tmp_path / "spool/collect").append([Received(b"x" * 100, 1, "a", "b", 1) for _ in range(30)])
    before, ahead = len(children()), Ahead[int](10)
    for _ in range(4):  # as at midnight, when rules are read again
        ahead.begin(2, lambda records, word: len(records))
        assert ahead.take(tmp_path / "spool/collect", 0)[0] == 10
        ahead.end()
        eventually(lambda: (ahead.end(), len(children()) <= before)[1])
