"""Parsing by several processes, when one has fallen behind: batches of a spool go out, their events come back in order.

A parser process reads its batch from the spool by itself and says at once where the next one begins, so
that the next process can start; what it made of the records follows. For a store that takes columns that is
columns already and a few counts: taking 50 fields of each event apart once more would cost the one who asked
more than storing them. What needs the lines before (configuration sessions) is left to it as it is.
The processes are forked before that one has threads, wait without work as long as it keeps up, and end with it.
"""

from __future__ import annotations

import gc
import os
import signal
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NamedTuple

from monitoring.event import Value
from monitoring.heard import Heard
from monitoring.retention import Retention
from monitoring.rows import Rows, rows_of
from monitoring.sessions import STEP
from monitoring.spool import SpoolReader, SpoolRecord

NICE = 5  # behind the one who stores, who is behind the receivers
FieldsOf = Callable[[SpoolRecord], dict[str, Value]]


class Origin(NamedTuple):
    """What of a record is needed beside its event."""

    position: int
    receiver: str
    peer: str
    received_s: float


@dataclass(slots=True)
class Parsed:
    """What was made of a batch, in order: events one by one, or columns of all that need nobody's look.

    faults: of records that gave no event, by index in `origins`; their fields are empty.
    heard: who sent what is in `parts`.
    """

    origins: list[Origin] = field(default_factory=list)
    fields: list[dict[str, Value]] = field(default_factory=list)
    faults: dict[int, str] = field(default_factory=dict)
    parts: list[Rows] = field(default_factory=list)
    heard: Heard = field(default_factory=Heard)


class Extent(NamedTuple):
    """Where a batch ends, when its last record was received (seconds since 1970 UTC), and what was not there."""

    records: int
    next_position: int
    last_s: float
    damaged_octets: int
    missing_octets: int


@dataclass(slots=True)
class _Job:
    worker: Connection
    position: int
    extent: Extent
    parsed: Parsed | None = None


@dataclass(slots=True)
class Parsers:
    """The processes, as the one who asks sees them. Raises EOFError when one of them died."""

    limit: int
    retention: Retention | None = None  # of a store that takes columns; None: events are asked for
    _all: list[Connection] = field(default_factory=list)
    _idle: list[Connection] = field(default_factory=list)
    _jobs: dict[Path, deque[_Job]] = field(default_factory=dict)

    def start(self, processes: int, fields_of: FieldsOf) -> None:
        """Fork them. Nothing here may have a thread yet."""
        gc.collect()
        gc.freeze()  # a collection would touch, and so copy, all they share with us
        for _ in range(processes):
            ours, theirs = Pipe()
            if os.fork() == 0:
                for other in (*self._all, ours):
                    other.close()
                _work(theirs, fields_of, self.limit)
            theirs.close()
            self._all.append(ours)
        self._idle = list(self._all)

    def __bool__(self) -> bool:
        return bool(self._all)

    def is_ahead(self, directory: Path) -> bool:
        """Whether batches of that spool are being worked on."""
        return bool(self._jobs.get(directory))

    def take(self, directory: Path, position: int) -> tuple[Parsed, Extent]:
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
            busy = {job.worker: job for jobs in self._jobs.values() for job in jobs if job.parsed is None}
            ready = wait(list(busy))
            self._result(busy[next(w for w in busy if w in ready)])
        worker = self._idle.pop()
        worker.send((directory, position, self.retention))
        self._jobs[directory].append(_Job(worker, position, worker.recv()))

    def _result(self, job: _Job) -> Parsed:
        if job.parsed is None:
            job.parsed = job.worker.recv()
            self._idle.append(job.worker)
        return job.parsed


def _work(asked: Connection, fields_of: FieldsOf, limit: int) -> None:
    """A parser process: until whoever asks is gone."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends with the one who asks, who drains first
        os.nice(NICE)
        readers: dict[Path, SpoolReader] = {}
        while True:
            directory, position, retention = asked.recv()
            reader = readers.get(directory) or readers.setdefault(directory, SpoolReader(directory))
            records, extent = read(reader, position, limit)
            asked.send(extent)
            asked.send(parsed(records, fields_of, retention))
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


def parsed(records: list[SpoolRecord], fields_of: FieldsOf, retention: Retention | None) -> Parsed:
    """What some records are; a defect in one of them is a fault, no error. retention: for columns; None: events."""
    made = Parsed()
    ready: list[dict[str, Value]] = []
    for record in records:
        received_s = record.received.timestamp()
        try:
            fields = fields_of(record)
            if retention is not None and STEP not in fields:
                made.heard.add(record.receiver, record.peer, received_s, fields)
                ready.append(fields)
                continue
        except Exception as fault:  # it must not stop the stream, nor lose the message
            made.faults[len(made.origins)] = f"no-event: {type(fault).__name__}: {fault}"
            fields = {}
        made.origins.append(Origin(record.position, record.receiver, record.peer, received_s))
        made.fields.append(fields)
    if retention is not None and ready:
        made.parts = rows_of(ready, retention)
    return made
