"""Waiting and limits that no slow or busy machine breaks."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

LONG_S = 60.0  # nothing a test waits for takes that long anywhere
_TRIES = 3
_USUAL_S = 0.011  # CPU of `_work` on the machine the limits were set on
_PATTERN = re.compile(r"(?:a|b){1,8}c")


def eventually(holds: Callable[[], object], what: str = "it", within_s: float = LONG_S) -> None:
    """Return as soon as `holds()` is true. Raises AssertionError when it has not become so in time."""
    until = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < until, f"{what} did not happen within {within_s:g} s"
        time.sleep(0.01)


def is_within(limit_s: float, work: Callable[[], object]) -> bool:
    """`work` takes less CPU than this. limit_s: as on the machine the limits were set on.

    The least of three tries counts, in units of what this machine does now: on a busy one even CPU time is several
    times the usual (shared caches, a sibling thread, a host that takes the core away).
    """
    took_s = []
    for _ in range(_TRIES):
        took_s.append(_cpu_s(work))
        if took_s[-1] < limit_s:
            return True
    return min(took_s) < limit_s * max(1.0, _cpu_s(_work) / _USUAL_S)


def _cpu_s(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _work() -> None:
    for number in range(10_000):
        _PATTERN.search(f"{number}" + "ab" * 20)
