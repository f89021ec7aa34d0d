"""Keeps a few child processes of one tree running: starts them, restarts what dies, stops them in order.

A child that dies is started again after a pause that doubles from 1 s to 30 s and falls back
to 1 s once it has run for a minute. One that says it cannot run (exit code 2: bad configuration,
a port in use) ends the whole tree, because another try would say the same and hide it. But once
a child has run for a minute, nothing it says ends the others: receiving goes on without detection.
"""

from __future__ import annotations

import asyncio
import ctypes
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass

CANNOT_RUN = 2
PAUSE_S = (1.0, 30.0)
HEALTHY_AFTER_S = 60.0
STOP_WITHIN_S = 20.0
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    name: str
    command: tuple[str, ...]


async def supervise(children: Sequence[Child], say: Callable[[str], None]) -> int:
    """Run `children` until SIGTERM or SIGINT, then stop them in the given order.

    say: receives one line whenever a child starts, dies or stops.
    Returns 0 after an asked stop, 2 when a child said that it cannot run.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    keepers = [_Keeper(child, stop, say) for child in children]
    tasks = [asyncio.create_task(keeper.keep()) for keeper in keepers]
    await stop.wait()
    for keeper, task in zip(keepers, tasks, strict=True):
        await keeper.end()
        await task
    return CANNOT_RUN if any(keeper.cannot_run for keeper in keepers) else 0


class _Keeper:
    """One child: its process now, and whether it gave up."""

    def __init__(self, child: Child, stop: asyncio.Event, say: Callable[[str], None]) -> None:
        self._child, self._stop, self._say = child, stop, say
        self._process: asyncio.subprocess.Process | None = None
        self.cannot_run = False
        self._has_run = False  # for HEALTHY_AFTER_S, once

    async def keep(self) -> None:
        loop, pause_s = asyncio.get_running_loop(), PAUSE_S[0]
        while not self._stop.is_set():
            started = loop.time()
            self._process = await asyncio.create_subprocess_exec(
                *self._child.command, preexec_fn=_end_with_parent, start_new_session=True
            )
            self._say(f"{self._child.name} started, pid {self._process.pid}")
            code = await self._process.wait()
            if self._stop.is_set():
                self._say(f"{self._child.name} stopped")
                return
            if loop.time() - started > HEALTHY_AFTER_S:
                pause_s, self._has_run = PAUSE_S[0], True
            if code == CANNOT_RUN and not self._has_run:
                self._say(f"{self._child.name} cannot run; stopping everything")
                self.cannot_run = True
                self._stop.set()
                return
            self._say(f"{self._child.name} ended with {code}; starting it again in {pause_s:.0f} s")
            await _first_of(self._stop.wait(), pause_s)
            pause_s = min(pause_s * 2, PAUSE_S[1])

    async def end(self) -> None:
        """Ask the child to stop; kill it when it takes longer than STOP_WITHIN_S."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        if not await _first_of(process.wait(), STOP_WITHIN_S):
            self._say(f"{self._child.name} did not stop within {STOP_WITHIN_S:.0f} s: killed")
            process.kill()


async def _first_of(waiting: Coroutine[object, object, object], timeout_s: float) -> bool:
    """Whether `waiting` came before the time-out."""
    try:
        await asyncio.wait_for(waiting, timeout_s)
    except TimeoutError:
        return False
    return True


def _end_with_parent() -> None:
    """In the child: be stopped when the supervisor is killed, so that no half of the tree lives on."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
