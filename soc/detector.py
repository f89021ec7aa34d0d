"""The detector: tails the spools, parses, matches, commits, delivers. Effects are here.

    spool ► Pipeline ► Detection ► detect.db (one transaction) ► case store

Several spools are taken in order of receiving. Detection's clock is the received time of what was
read; when nothing is left to read it follows the wall clock at a distance, because a message can
be stamped a moment before it is readable.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from heapq import merge
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple, Protocol
from uuid import UUID

from monitoring.event import Event
from monitoring.spool import SpoolReader, SpoolRecord, spools
from soc.alert import Alert
from soc.detection import Detection
from soc.detector_stats import Stats
from soc.episodes import microseconds
from soc.errors import DatabaseError, SocError
from soc.outbox import Outbox
from soc.sigma.loader import RuleSet

READER = "detect"
BATCH = 500  # records; small enough that a match is delivered within a fraction of a second
WARM = 2000  # records that are parsed again after a start, for what parsers remember
_BEHIND = timedelta(milliseconds=500)  # from stamping a message to its being readable
_COMMIT_S = 1.0  # grown alerts and state are written this often, new alerts at once
_GROWN_AT_LEAST_S = 10.0
_RETRY_S = 1.0
_SLEEP_S = 0.05


class DetectError(SocError):
    """Detection cannot start."""


class Cases(Protocol):
    """Where alerts go; delivering twice changes nothing."""

    def deliver(self, alerts: Iterable[Alert]) -> int: ...


class Batch(NamedTuple):
    """What one spool gave."""

    spool: str
    records: list[SpoolRecord]
    position: int  # behind them


class Past(NamedTuple):
    """Where the spools stood before a batch."""

    positions: dict[str, int]
    records: int


class Detector:
    """One process's. Made from the last commit; `run` goes on until `stop`."""

    def __init__(
        self,
        *,
        rules: RuleSet,
        event_of: Callable[[SpoolRecord], Event],
        data_dir: Path,
        cases: Cases,
        lateness: timedelta,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Raises DetectError when another detector runs on this data directory, DatabaseError."""
        self._lock = _locked(data_dir / "detect.db.lock")
        self._event_of, self._data_dir, self._cases, self._clock = event_of, data_dir, cases, clock
        self.detection = Detection(rules, lateness)
        self.outbox = Outbox(data_dir / "detect.db")
        self.dropped_state = self.outbox.restore(self.detection)
        self._positions = self.outbox.positions()
        self._readers: dict[UUID, SpoolReader] = {}
        self._past: deque[Past] = deque()
        self._past_records = 0
        self._warm_up(self.outbox.warm_positions())
        self._stats = Stats(data_dir / "stats" / "detect.json", self.outbox.counters(), rules)
        self._committed_at = 0.0
        self._unsaved = False
        self._grown_after = self._new_after = 0.0  # when grown, and when new alerts are handed over next
        self._stopped = False

    def close(self) -> None:
        """Let go of files and lock; what was not committed is read again next time."""
        self.outbox.close()
        os.close(self._lock)

    def stop(self) -> None:
        """Let `run` end after its step; safe in a signal handler."""
        self._stopped = True

    def run(self) -> None:
        """Until `stop`. Raises DatabaseError when detect.db cannot be written; then start again from the disk."""
        try:
            while not self._stopped:
                if not self.step():
                    time.sleep(_SLEEP_S)
            self.commit()
            self._deliver(everything=True)
        except DatabaseError as error:
            self._stats.trouble(error.what)
            self._stats.save(self.detection, self._lag(), force=True)
            raise
        self._stats.save(self.detection, self._lag(), force=True)

    def step(self) -> int:
        """Take what can be read now, once. Returns how many records that were."""
        records, positions = self._read()
        now = self._clock()
        raised = self.detection.episodes.raised
        self._remember(records)
        self._unsaved |= any(self._positions.get(spool) != position for spool, position in positions.items())
        self._positions |= positions
        if records:
            self.detection.take([self._event_of(record) for record in records], now)
            self.detection.advance(microseconds(records[-1].received), now)
        else:
            waiting = len(self.detection.pending.held)
            self.detection.advance(microseconds(now - _BEHIND), now)
            self._unsaved |= len(self.detection.pending.held) != waiting or self.detection.episodes.is_changed
        is_due = time.monotonic() - self._committed_at >= _COMMIT_S
        if self.detection.episodes.raised != raised or (self._unsaved and is_due):
            self.commit()
        self._deliver()
        self._stats.save(self.detection, self._lag())
        return len(records)

    def commit(self) -> None:
        """Write everything down, tell the spools what is done with."""
        warm = self._past[0].positions if self._past else self._positions
        self.outbox.commit(self.detection, self._positions, warm, self._stats.totals(self.detection))
        self._committed_at, self._unsaved = time.monotonic(), False
        self._new_after = min(self._new_after, self._committed_at)
        for reader in self._readers.values():
            with suppress(OSError):  # the spool then keeps more than it needs to, no more
                reader.commit(READER, self._positions.get(str(reader.id), 0))

    def _warm_up(self, warm: dict[str, int]) -> None:
        """Parse again, without matching, what was parsed last: parsers remember the lines of a session."""
        for directory in spools(self._data_dir):
            reader = SpoolReader(directory)
            end = self._positions.get(str(reader.id), 0)
            at = warm.get(str(reader.id), end)
            while at < end:
                records, at = reader.read(at, BATCH)
                for record in records:
                    if record.position < end:
                        self._event_of(record)
                if not records:
                    break

    def _remember(self, records: Sequence[SpoolRecord]) -> None:
        """Keep the positions from before the last WARM records."""
        if records:
            self._past.append(Past(dict(self._positions), len(records)))
            self._past_records += len(records)
            while self._past_records - self._past[0].records >= WARM:
                self._past_records -= self._past.popleft().records

    def _read(self) -> tuple[list[SpoolRecord], dict[str, int]]:
        """The next records of all spools, in order of receiving, and the positions behind them."""
        for directory in spools(self._data_dir):
            if not any(reader.directory == directory for reader in self._readers.values()):
                reader = SpoolReader(directory)
                self._readers[reader.id] = reader
        batches = []
        for reader in self._readers.values():
            batches.append(Batch(str(reader.id), *reader.read(self._positions.get(str(reader.id), 0), BATCH)))
        return _in_order(batches)

    def _deliver(self, *, everything: bool = False) -> None:
        """Hand over what the outbox holds: new alerts at once, grown ones now and then.

        A case store that is busy or gone is asked again a second later.
        """
        began = time.monotonic()
        is_due = everything or began >= self._grown_after
        if not is_due and began < self._new_after:
            return
        while alerts := self.outbox.undelivered(only_new=not is_due):
            try:
                self._cases.deliver(alerts)
            except Exception as error:  # detection goes on whatever the case store suffers
                self._stats.trouble(f"alerts wait: the case store refused them: {error}")
                self._grown_after = self._new_after = time.monotonic() + _RETRY_S
                return
            self.outbox.delivered(alert.id for alert in alerts)
            self._stats.trouble("")
        if is_due:  # rewriting the copies of a storm may take no more than a tenth of the time
            spent = time.monotonic() - began
            self._grown_after = time.monotonic() + min(max(_COMMIT_S, 9 * spent), _GROWN_AT_LEAST_S)
        self._new_after = float("inf")

    def _lag(self) -> int:
        """Octets of spool not taken yet."""
        return sum(r.end - self._positions.get(str(r.id), 0) for r in self._readers.values())


def _in_order(batches: Sequence[Batch]) -> tuple[list[SpoolRecord], dict[str, int]]:
    """Several spools' records as one sequence by received time.

    A spool that gave a full batch has more behind it: what another one received later has to wait. Within a
    spool moments may go back a little (several receivers, one commit), so a batch ends at the first that waits.
    """
    horizon = min((max(r.received for r in b.records) for b in batches if len(b.records) >= BATCH), default=None)
    taken: list[list[SpoolRecord]] = []
    positions: dict[str, int] = {}
    for batch in batches:
        ready = [*takewhile(lambda r: horizon is None or r.received <= horizon, batch.records)]
        taken.append(ready)
        if len(ready) == len(batch.records):
            positions[batch.spool] = batch.position
        elif ready:
            positions[batch.spool] = ready[-1].next_position
    return list(merge(*taken, key=lambda r: (r.received, str(r.spool_id), r.position))), positions


def _locked(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
    except OSError as error:
        raise DetectError(
            f"the data directory cannot be written: {error.strerror}",
            where=path.parent,
            fix="make it writable for the user that runs canh, and its file system not read-only",
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise DetectError(
            "another detector works on this data directory", where=path, fix="stop it, or start this one with --data"
        ) from error
    return handle
