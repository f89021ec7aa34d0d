"""The detector: tails the spools, parses, matches, commits, delivers. Effects are here.

    spools ► Tails (parse, match: any process) ► Detection ► detect.db (one transaction) ► case store

Several spools are taken in order of receiving. Detection's clock is the received time of what was
read; when nothing is left to read it follows the wall clock at a distance, because a message can
be stamped a moment before it is readable.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, Protocol

from monitoring.spool import SpoolReader, spools
from soc.alert import Alert
from soc.alone import locked
from soc.detection import Detection
from soc.detector_stats import Stats
from soc.episodes import microseconds
from soc.errors import DatabaseError, SocError
from soc.inputs import Inputs
from soc.looks import Looker, Parsing
from soc.outbox import Outbox
from soc.sigma.loader import RuleSet
from soc.tails import BATCH, Tails

READER = "detect"
WARM = 2000  # records that are parsed again after a start, for what parsers remember
_BEHIND = timedelta(milliseconds=500)  # from stamping a message to its being readable
_COMMIT_S = 1.0  # grown alerts and state are written this often, new alerts at once
_GROWN_AT_LEAST_S = 10.0
_RETRY_S = 1.0
_SLEEP_S = 0.05
_LOOK_AGAIN_S = 3.0  # for rules and inventory that changed


class DetectError(SocError):
    """Detection cannot start."""


class Cases(Protocol):
    """Where alerts go; delivering twice changes nothing."""

    def deliver(self, alerts: Iterable[Alert]) -> int: ...


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
        parsing: Parsing,
        inputs: Inputs | None = None,
        data_dir: Path,
        cases: Cases,
        lateness: timedelta,
        batch: int = BATCH,
        helpers: int = 0,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """inputs: tell when there are other rules; None: never. batch: records a step.

        helpers: processes that parse and match too when one is behind.
        Raises DetectError when another detector runs on this data directory, DatabaseError.
        """
        self._lock = locked(data_dir / "detect.db.lock", "detector", DetectError)
        self._data_dir, self._cases, self._clock, self._inputs = data_dir, cases, clock, inputs
        self.detection = Detection(rules, lateness)
        self.outbox = Outbox(data_dir / "detect.db")
        self.dropped_state = self.outbox.restore(self.detection)
        self._parsing, self._looker = parsing, Looker(parsing, rules)
        # A helper that outlives us by a moment must not hold the lock against who comes after us.
        self._tails = Tails(
            data_dir,
            self._looker,
            self.outbox.positions(),
            batch=batch,
            helpers=helpers,
            at_fork=lambda: os.close(self._lock),
        )
        self._past: deque[Past] = deque()
        self._past_records = 0
        warm = self.outbox.warm_positions()
        # What was parsed again now has to be parsed again next time, too, until WARM records lie behind it.
        self._remember(warm, self._warm_up(warm))
        self._stats = Stats(data_dir / "stats" / "detect.json", self.outbox.counters())
        self._committed_at = 0.0
        self._looked_at = time.monotonic()
        self._grown_after = self._new_after = 0.0  # when grown, and when new alerts are handed over next
        self._unsaved = False
        self._stopped = False

    def close(self) -> None:
        """Let go of files and lock; what was not committed is read again next time."""
        self._tails.close()
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
            self._stats.save(self.detection, self._tails.octets_behind, force=True)
            raise
        self._stats.save(self.detection, self._tails.octets_behind, force=True)

    def step(self) -> int:
        """Take what can be read now, once. Returns how many records that were."""
        self._renew()
        raised = self.detection.episodes.raised
        before = self._tails.positions
        taken = self._tails.take()
        now = self._clock()
        self._remember(before, taken.records)
        defects = self._looker.defects
        for look in taken.looks:
            for match in self._looker.found(look):
                self.detection.matched(*match, now)
        defects = taken.defects + self._looker.defects - defects
        self.detection.passed(taken.records, taken.unreadable, defects)
        waiting = len(self.detection.pending.held)
        self.detection.advance(microseconds(now - _BEHIND) if taken.clock_us is None else taken.clock_us, now)
        self._unsaved |= self._tails.positions != before or len(self.detection.pending.held) != waiting
        self._unsaved |= self.detection.episodes.is_changed
        is_due = time.monotonic() - self._committed_at >= _COMMIT_S or self.detection.is_heavy
        if self.detection.episodes.raised != raised or (self._unsaved and is_due):
            self.commit()
        self._deliver()
        self._stats.save(self.detection, self._tails.octets_behind)
        return taken.records + len(taken.looks)

    def commit(self) -> None:
        """Write everything down, tell the spools what is done with."""
        positions = self._tails.positions
        past = self._past[0].positions if self._past else positions
        warm = {spool: past.get(spool, 0) for spool in positions}  # a spool unknown then is warmed up from its start
        self.outbox.commit(self.detection, positions, warm, self._stats.totals(self.detection))
        self._committed_at, self._unsaved = time.monotonic(), False
        self._new_after = min(self._new_after, self._committed_at)
        with suppress(OSError):  # the spool then keeps more than it needs to, no more
            self._tails.commit(READER, positions)

    def _renew(self) -> None:
        """Go on with other rules when there are any, exactly from the position that is committed with them."""
        if self._inputs is None or time.monotonic() - self._looked_at < _LOOK_AGAIN_S:
            return
        self._looked_at = time.monotonic()
        loaded = self._inputs.changed()
        self._stats.refused(self._inputs.trouble)
        if loaded is None:
            return
        self.commit()
        self.dropped_state = self.detection.replace_rules(loaded.rules)
        self._parsing, self._looker = loaded.parsing, Looker(loaded.parsing, loaded.rules)
        self._tails.use(self._looker)
        self._warm_up(self.outbox.warm_positions())
        self.commit()

    def _warm_up(self, warm: dict[str, int]) -> int:
        """Parse again, without matching, what was parsed last: parsers remember the lines of a session.

        Returns how many records that were.
        """
        parsed = 0
        for directory in spools(self._data_dir):
            reader = SpoolReader(directory)
            end = self._tails.positions.get(str(reader.id), 0)
            at = warm.get(str(reader.id), end)
            while at < end:
                records, at = reader.read(at, BATCH)
                for record in records:
                    if record.position < end:
                        with suppress(Exception):  # a defect of a parser, counted when it was read first
                            self._parsing.followed(self._parsing.fields_of(record))
                        parsed += 1
                if not records:
                    break
        return parsed

    def _remember(self, positions: dict[str, int], records: int) -> None:
        """Keep the positions from before the last WARM records."""
        if records:
            self._past.append(Past(positions, records))
            self._past_records += records
            while self._past_records - self._past[0].records >= WARM:
                self._past_records -= self._past.popleft().records

    def _handed_over(self, alerts: list[Alert]) -> tuple[list[str], str]:
        """The ids of those the case store took, and why it did not take the others.

        Raises DatabaseError, OSError when it takes none now.
        """
        try:
            self._cases.deliver(alerts)
            return [alert.id for alert in alerts], ""
        except (DatabaseError, OSError):
            raise
        except Exception as error:  # detection goes on whatever the case store suffers
            why = str(error)
        taken: list[str] = []
        for alert in alerts:  # one that cannot be stored keeps back no other
            try:
                self._cases.deliver([alert])
                taken.append(alert.id)
            except Exception as error:
                why = f"{alert.id}: {error}"
        return taken, why

    def _deliver(self, *, everything: bool = False) -> None:
        """Hand over what the outbox holds: new alerts at once, grown ones now and then.

        A case store that is busy or gone is asked again a second later.
        """
        began = time.monotonic()
        is_due = everything or began >= self._grown_after
        if not is_due and began < self._new_after:
            return
        refused, why = set[str](), ""
        while alerts := self.outbox.undelivered(only_new=not is_due, but=refused):
            try:
                taken, left = self._handed_over(alerts)
            except (DatabaseError, OSError) as error:
                why = str(error)
                break
            self.outbox.delivered(taken)
            refused |= {alert.id for alert in alerts}.difference(taken)
            why = left or why
        self._stats.trouble(f"alerts wait: the case store refused them: {why}" if why else "")
        if why:
            self._grown_after = self._new_after = time.monotonic() + _RETRY_S
            return
        if is_due:  # rewriting the copies of a storm may take no more than a tenth of the time
            spent = time.monotonic() - began
            self._grown_after = time.monotonic() + min(max(_COMMIT_S, 9 * spent), _GROWN_AT_LEAST_S)
        self._new_after = float("inf")
