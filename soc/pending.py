"""The reorder buffer: sightings wait for stragglers, then leave in order of event time.

A sighting is due `lateness` after it was received. When one is due, everything held with an
earlier (event time, id) goes first. So whatever the order of arrival, as long as nothing is later
than `lateness` after what it precedes, the order of leaving is the same.
"""

from __future__ import annotations

from collections.abc import Collection
from heapq import heapify, heappop, heappush

from soc.sigma.correlator import Sighting

MOST = 50_000
Key = tuple[int, str, str]  # event time, event id, rule


class Pending:
    """Held sightings. late: came in behind what had already left. early: let go because the buffer was full."""

    def __init__(self, lateness_us: int, most: int = MOST) -> None:
        self.lateness_us, self._most = lateness_us, most
        self.held: dict[Key, Sighting] = {}
        self._by_time: list[Key] = []
        self._by_due: list[tuple[int, Key]] = []
        self.passed: Key = (0, "", "")  # the last that left in order
        self.late = self.early = 0

    def add(self, sighting: Sighting) -> list[Sighting]:
        """Hold one; returns what has to leave for it when the buffer is full."""
        key = key_of(sighting)
        if key in self.held:
            return []
        if key < self.passed:
            self.late += 1
        self.held[key] = sighting
        heappush(self._by_time, key)
        heappush(self._by_due, (sighting.received_us + self.lateness_us, key))
        if len(self.held) <= self._most:
            return []
        self.early += 1
        return self._until(self._by_time[0])

    def due(self, clock_us: int) -> list[Sighting]:
        """What leaves when the clock shows `clock_us`, in order."""
        limit: Key | None = None
        while self._by_due and self._by_due[0][0] <= clock_us:
            _, key = heappop(self._by_due)
            if key in self.held:
                limit = key if limit is None else max(limit, key)
        return [] if limit is None else self._until(limit)

    def drop(self, rules: Collection[str]) -> None:
        """Forget the sightings of these rules."""
        for key in [key for key in self.held if key[2] in rules]:
            del self.held[key]
        self._by_time = [key for key in self._by_time if key in self.held]
        heapify(self._by_time)

    def _until(self, limit: Key) -> list[Sighting]:
        leaving = []
        while self._by_time and self._by_time[0] <= limit:
            leaving.append(self.held.pop(heappop(self._by_time)))
        self.passed = max(self.passed, limit)
        return leaving


def key_of(sighting: Sighting) -> Key:
    return sighting.at_us, sighting.id, sighting.rule
