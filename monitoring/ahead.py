"""Work on batches of a spool by several processes, when one has fallen behind: results come back in the spool's order.

A process reads its batch from the spool by itself and says at once where the next one begins, so that the
next process can start; what it made of the records follows. The processes are forked while nobody has
threads, wait without work as long as one keeps up alone, and end with the one who asks.
"""

from __future__ import annotations

import gc
import os
import signal
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from monitoring.spool import SpoolReader, SpoolRecord

NICE = 5  # behind the one who asks, who is behind the receivers
Result = TypeVar("Result")
Task = Callable[[list[SpoolRecord], Any], Result]


class Extent(NamedTuple):
    """Where a batch ends, when its last record was received (seconds since 1970 UTC), and what was not there."""

    records: int
    next_position: int
    last_s: float
    damaged_octets: int
    missing_octets: int


@dataclass(slots=True)
class _Job(Generic[Result]):
    worker: Connection
    position: int
    extent: Extent
    result: Result | None = None


class Ahead(Generic[Result]):
    """The processes, as the one who asks sees them. Raises EOFError when one of them died."""

    def __init__(self, limit: int) -> None:
        """limit: records a batch."""
        self.limit = limit
        self._word: Callable[[], object] = lambda: None
        self._all: list[Connection] = []
        self._ended: list[int] = []  # ids of processes that were told to end
        self._pids: list[int] = []
        self._idle: list[Connection] = []
        self._jobs: dict[Path, deque[_Job[Result]]] = {}

    def begin(
        self,
        processes: int,
        task: Task[Result],
        word: Callable[[], object] = lambda: None,
        at_fork: Callable[[], None] = lambda: None,
    ) -> None:
        """Fork them. Nothing here may have a thread yet.

        task: from records and the word that was sent with them to a result; both are pickled.
        at_fork: called in each, to let go of what it must not hold.
        """
        self._word = word
        self._bury()
        gc.collect()
        gc.freeze()  # a collection would touch, and so copy, all they share with us
        for _ in range(processes):
            ours, theirs = Pipe()
            if (pid := os.fork()) == 0:
                for other in (*self._all, ours):
                    other.close()
                at_fork()
                _work(theirs, task, self.limit)
            theirs.close()
            self._all.append(ours)
            self._pids.append(pid)
        self._idle = list(self._all)

    def end(self) -> None:
        """Let all that is under way go, and the processes with it."""
        for worker in self._all:
            worker.close()
        self._all, self._idle = [], []
        self._jobs.clear()
        self._ended += self._pids
        self._pids = []
        self._bury()

    def _bury(self) -> None:
        """Take note of those that have ended: each stays in the system's table until then. None is waited for."""
        self._ended = [pid for pid in self._ended if not _is_over(pid)]

    def __bool__(self) -> bool:
        return bool(self._all)

    def is_ahead(self, directory: Path) -> bool:
        """Whether batches of that spool are being worked on."""
        return bool(self._jobs.get(directory))

    def take(self, directory: Path, position: int) -> tuple[Result, Extent]:
        """The batch that begins at `position`; the following ones are begun."""
        jobs = self._jobs.setdefault(directory, deque())
        if jobs and jobs[0].position != position:  # who asks has gone back to what he committed
            self.forget()
            jobs = self._jobs.setdefault(directory, deque())
        if not jobs:
            self._ask(directory, position)
        while self._idle and jobs[-1].extent.records == self.limit:
            self._ask(directory, jobs[-1].extent.next_position)
        job = jobs.popleft()
        return self._result(job), job.extent

    def forget(self) -> None:
        """Let all that is under way go."""
        for jobs in self._jobs.values():
            for job in jobs:
                self._result(job)
        self._jobs.clear()

    def _ask(self, directory: Path, position: int) -> None:
        if not self._idle:  # all work for other spools: keep what is ready first
            busy = {job.worker: job for jobs in self._jobs.values() for job in jobs if job.result is None}
            ready = wait(list(busy))
            self._result(busy[next(w for w in busy if w in ready)])
        worker = self._idle.pop()
        worker.send((directory, position, self._word()))
        self._jobs[directory].append(_Job(worker, position, worker.recv()))

    def _result(self, job: _Job[Result]) -> Result:
        if job.result is None:
            job.result = job.worker.recv()
            self._idle.append(job.worker)
        return job.result


def _is_over(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:  # somebody else took note
        return True


def _work(asked: Connection, task: Task[Result], limit: int) -> None:
    """One of the processes: until whoever asks is gone."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends with the one who asks, who drains first
        os.nice(NICE)
        readers: dict[Path, SpoolReader] = {}
        while True:
            directory, position, word = asked.recv()
            reader = readers.get(directory) or readers.setdefault(directory, SpoolReader(directory))
            records, extent = read(reader, position, limit)
            asked.send(extent)
            asked.send(task(records, word))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        code = 0
    finally:
        os._exit(code)


def read(reader: SpoolReader, position: int, limit: int) -> tuple[list[SpoolRecord], Extent]:
    """The records of a batch. Raises SpoolError."""
    reader.damaged_octets = reader.missing_octets = 0
    records, moved = reader.read(position, limit)
    last_s = records[-1].received.timestamp() if records else 0.0
    return records, Extent(len(records), moved, last_s, reader.damaged_octets, reader.missing_octets)
