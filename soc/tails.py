"""Several spools as one sequence in order of receiving, as far as it was read: what detection looks at next.

What one spool received later than another is read has to wait. A batch is read and matched here, or
ahead by other processes when much waits (`monitoring.ahead`).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from heapq import merge
from pathlib import Path
from typing import NamedTuple

from monitoring.ahead import Ahead, Extent, Task, read
from monitoring.spool import SpoolReader, spools
from soc.looks import Look, Looks

BATCH = 500  # records; small enough that a match is delivered within a fraction of a second
BATCH_AHEAD = 2000
BEHIND_OCTETS = 1024 * 1024  # of a spool: then others help
KEEP_HELPERS_S = 30.0  # after the last batch that needed them: idle ones hold memory


class Taken(NamedTuple):
    """What one step gave."""

    looks: list[Look]  # in order
    records: int  # read, whether or not they are in `looks`
    clock_us: int | None  # everything received before was taken; None: nothing was read
    unreadable: int
    defects: int


@dataclass(slots=True)
class _Tail:
    reader: SpoolReader
    read_to: int
    looks: deque[Look] = field(default_factory=deque)
    last_us: int = 0  # nothing in `looks` was received later
    may_have_more: bool = False

    @property
    def position(self) -> int:
        """Everything before was given out."""
        return self.looks[0].position if self.looks else self.read_to


class Tails:
    """The ends of all spools of a data directory. `helpers`: processes that help when one is behind."""

    def __init__(
        self,
        data_dir: Path,
        looker: Task[Looks],
        positions: Mapping[str, int],
        *,
        batch: int = BATCH,
        helpers: int = 0,
        at_fork: Callable[[], None] = lambda: None,
    ) -> None:
        """positions: where each spool was left, by its id. at_fork: lets go of what a helper must not hold."""
        self._data_dir, self._looker, self._begun = data_dir, looker, dict(positions)
        self._batch, self._helpers, self._at_fork = batch, helpers, at_fork
        self._ahead: Ahead[Looks] = Ahead(BATCH_AHEAD)
        self._helped_at = 0.0
        self._tails: dict[Path, _Tail] = {}

    def close(self) -> None:
        """End the helpers; what they had under way is read again from `positions`."""
        self._ahead.end()

    def use(self, looker: Task[Looks]) -> None:
        """Look with another one from `positions` on; what was read further is read again."""
        self._looker = looker
        self._ahead.end()
        for tail in self._tails.values():
            tail.read_to = tail.position
            tail.looks.clear()

    @property
    def positions(self) -> dict[str, int]:
        """Behind what was given out, by the id of each spool known."""
        return self._begun | {str(tail.reader.id): tail.position for tail in self._tails.values()}

    @property
    def octets_behind(self) -> int:
        return sum(tail.reader.end - tail.position for tail in self._tails.values())

    def commit(self, name: str, positions: Mapping[str, int]) -> None:
        """Tell the spools what is done with. Raises OSError at the first that cannot be told."""
        for tail in self._tails.values():
            tail.reader.commit(name, positions.get(str(tail.reader.id), 0))

    def take(self) -> Taken:
        """What can be read now, once."""
        for directory in spools(self._data_dir):
            if directory not in self._tails:
                reader = SpoolReader(directory)
                self._tails[directory] = _Tail(reader, self._begun.get(str(reader.id), 0))
        records = unreadable = defects = latest_us = 0
        for tail in self._tails.values():
            tail.may_have_more = bool(tail.looks)
            if not tail.looks:
                n, looks = self._read(tail)
                records, unreadable, defects = records + n, unreadable + looks.unreadable, defects + looks.defects
                latest_us = max(latest_us, looks.last_us)
        horizon = min((tail.last_us for tail in self._tails.values() if tail.may_have_more), default=None)
        ready = [_ready(tail, horizon) for tail in self._tails.values()]
        clock_us = horizon
        if horizon is None and records:
            clock_us = latest_us
        return Taken([look for _, _, look in merge(*ready)], records, clock_us, unreadable, defects)

    def _read(self, tail: _Tail) -> tuple[int, Looks]:
        """The next batch of a spool into its tail. Raises SpoolError."""
        looks, extent, limit = self._helped(tail) or self._alone(tail)
        tail.may_have_more = extent.records >= limit
        tail.looks.extend(looks.looks)
        tail.last_us = looks.last_us  # and not the latest ever: our clock may have been ahead, and put back
        tail.read_to = extent.next_position
        return extent.records, looks

    def _alone(self, tail: _Tail) -> tuple[Looks, Extent, int]:
        records, extent = read(tail.reader, tail.read_to, self._batch)
        return self._looker(records, None), extent, self._batch

    def _helped(self, tail: _Tail) -> tuple[Looks, Extent, int] | None:
        """The next batch from a helper; None when there are none, or no need."""
        directory = tail.reader.directory
        is_behind = tail.reader.end - tail.read_to > BEHIND_OCTETS or self._ahead.is_ahead(directory)
        if not self._helpers or not is_behind:
            if self._ahead and time.monotonic() - self._helped_at > KEEP_HELPERS_S:
                self._ahead.end()
            return None
        self._helped_at = time.monotonic()
        if not self._ahead:
            self._ahead.begin(self._helpers, self._looker, at_fork=self._at_fork)
        try:
            return *self._ahead.take(directory, tail.read_to), BATCH_AHEAD
        except (EOFError, BrokenPipeError, ConnectionResetError):  # a helper died: nothing of the batch was taken
            self._ahead.end()
            return None


def _ready(tail: _Tail, horizon: int | None) -> list[tuple[int, str, Look]]:
    """What of a tail may go, with what it is ordered by.

    Within a spool moments may go back a little (several receivers, one commit), so it ends at the first that waits.
    """
    spool = str(tail.reader.id)
    ready: list[tuple[int, str, Look]] = []
    while tail.looks and (horizon is None or tail.looks[0].received_us <= horizon):
        look = tail.looks.popleft()
        ready.append((look.received_us, spool, look))
    return ready
