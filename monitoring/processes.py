"""The processes of a collector: receivers forked from here, the store's worker beside them.

This process binds the sockets, forks each receiver with its own, and receives nothing itself. So a
receiver that dies is replaced within milliseconds, alone, and what arrived meanwhile waits in its
sockets. A part that dies again and again is started with growing pauses; one that says at its first start that
it cannot run (exit code 2) ends all. Plain waiting for signals, no event loop: what is forked must inherit none.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from inventory.errors import OpsError

CANNOT_RUN = 2
PAUSE_S = (0.1, 30.0)
HEALTHY_AFTER_S = 30.0
RECEIVERS_STOP_WITHIN_S = 5.0
WORKER_STOPS_WITHIN_S = 12.0
_LOOK_S = 0.5
_PR_SET_PDEATHSIG = 1
_STOPS = {signal.SIGTERM, signal.SIGINT}
_WATCHED = _STOPS | {signal.SIGCHLD}

log = logging.getLogger("canh.collect")


@dataclass(slots=True)
class Part:
    """A child process: how it is started, and how it fares."""

    name: str
    start: Callable[[], int]  # returns the process id
    ends_all: bool = True  # when it says at its first start that it cannot run
    pid: int = 0  # 0: not running
    started: float = 0.0
    again_at: float = 0.0
    pause_s: float = PAUSE_S[0]
    has_run: bool = False  # for HEALTHY_AFTER_S, once

    def look(self, now: float) -> int | None:
        """Start it when it is time; the exit code when it ended since the last look."""
        if self.pid:
            return self._ended(now)
        if now >= self.again_at:
            self.started, self.pid = now, self.start()
        return None

    def signal(self, number: signal.Signals) -> None:
        if self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, until: float) -> None:
        """Until it has ended; killed when that takes longer than `until` (monotonic)."""
        while self.pid and self._ended(time.monotonic()) is None:
            if time.monotonic() > until:
                log.error("%s did not end in time: killed; it goes on where it was at the next start", self.name)
                self.signal(signal.SIGKILL)
                until = float("inf")
            time.sleep(0.02)

    def _ended(self, now: float) -> int | None:
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            return None
        self.pid = 0
        if now - self.started > HEALTHY_AFTER_S:
            self.pause_s, self.has_run = PAUSE_S[0], True
        self.again_at = now + self.pause_s
        self.pause_s = min(self.pause_s * 2, PAUSE_S[1])
        return os.waitstatus_to_exitcode(status)


class Worker:
    """The store's worker: a program that drains and ends when its standard input does."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)
        self._lifeline = -1

    def start(self) -> int:
        self.let_go()
        reading, self._lifeline = os.pipe()
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        standard_input = [(os.POSIX_SPAWN_DUP2, reading, 0)]
        try:
            return os.posix_spawn(
                self._command[0], self._command, environment, file_actions=standard_input, setsigmask=()
            )
        finally:
            os.close(reading)

    def let_go(self) -> None:
        """Close our end of the pipe; in a forked receiver too, or the worker would outlive us."""
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1


def forked(run: Callable[[], None], let_go: Callable[[], None]) -> int:
    """Run `run` in a child process that ends with this one; returns its process id.

    let_go: what the child must not keep of its parent's.
    """
    parent, pid = os.getpid(), os.fork()
    if pid:
        return pid
    code = 1
    try:
        let_go()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        _unblock()
        if os.getppid() == parent:
            run()
            code = 0
    except OpsError as error:
        log.error("%s", error)
        code = CANNOT_RUN
    except BaseException:  # nothing may return into the parent's code
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def keep(receivers: Sequence[Part], worker: Part | None, let_go: Callable[[], None]) -> int:
    """Keep all parts running until SIGTERM or SIGINT, then stop the receivers first and the worker last.

    let_go: called when stopping begins, so that no new sender is let in.
    Returns 0 after an asked stop, 2 when a part said at its first start that it cannot run.
    """
    parts = (*receivers, *(() if worker is None else (worker,)))
    signal.pthread_sigmask(signal.SIG_BLOCK, _WATCHED)
    code = None
    try:
        while code is None:
            code = _look(parts)
            if code is None:
                told = signal.sigtimedwait(_WATCHED, _LOOK_S if all(p.pid for p in parts) else PAUSE_S[0])
                code = 0 if told is not None and told.si_signo in _STOPS else None
        return code
    finally:
        let_go()
        _end(receivers, RECEIVERS_STOP_WITHIN_S)
        if worker is not None:
            _end((worker,), WORKER_STOPS_WITHIN_S)


def _look(parts: Sequence[Part]) -> int | None:
    for part in parts:
        ended = part.look(time.monotonic())
        if ended is None:
            continue
        if ended == CANNOT_RUN and part.ends_all and not part.has_run:
            return CANNOT_RUN
        log.error("%s ended with %s; starting it again", part.name, ended)
    return None


def _end(parts: Sequence[Part], within_s: float) -> None:
    until = time.monotonic() + within_s
    for part in parts:
        part.signal(signal.SIGTERM)
    for part in parts:
        part.wait(until)


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _WATCHED)
