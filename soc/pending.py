"""The reorder buffer: sightings wait for stragglers, then leave in order of event time.

A sighting is due `lateness` after it was received. When one is due, everything held with an
earlier (event time, id) goes first. So whatever the order of arrival, as long as nothing is later
than `lateness` after what it precedes, the order of leaving is the same.

What a correlation wants to look at later (`a and not b`) waits here too, as a sighting at that moment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from heapq import heapify, heappop, heappush

from soc.sigma.sighting import Sighting

MOST = 50_000
MOST_OCTETS = 256 << 20  # of events
MOST_JUDGEMENTS = 50_000
MOST_OF_A_GROUP = 1_000  # judgements; one that is flooded must not cost the others theirs
LAST = "\U0010ffff"  # ids of judgements begin with it: they come after all that has the same moment
Key = tuple[int, str, str]  # event time, event id, rule


class Pending:
    """Held sightings. late: came in behind what had already left. early: let go because the buffer was full."""

    def __init__(self, lateness_us: int, most: int = MOST) -> None:
        self.lateness_us, self._most = lateness_us, most
        self.held: dict[Key, Sighting] = {}
        self._by_time: list[Key] = []
        self._by_due: list[tuple[int, Key]] = []
        self.passed: Key = (0, "", "")  # the last that left in order
        self._of_group: Counter[tuple[str, str]] = Counter()  # judgements
        self.octets = 0  # of the events held
        self.late = self.early = self.unjudged = self.judgements = 0

    def add(self, sighting: Sighting) -> Iterator[Sighting]:
        """Hold one; what has to leave for it when the buffer is full."""
        if sighting.judgement is not None:
            self._add_judgement(sighting)
            return iter(())
        key = key_of(sighting)
        if key in self.held:
            return iter(())
        self.late += key < self.passed
        self._hold(key, sighting)
        return self._too_much()

    def _too_much(self) -> Iterator[Sighting]:
        """The oldest leave early until the others have room."""
        while len(self.held) - self.judgements > self._most or self.octets > MOST_OCTETS:
            self.early += 1
            yield from self._until(self._by_time[0])

    def bring(self, sighting: Sighting) -> None:
        """Put back one that was held when it was written down."""
        self._hold(key_of(sighting), sighting)

    def due(self, clock_us: int) -> Iterator[Sighting]:
        """What leaves when the clock shows `clock_us`, in order, and what is added meanwhile and due by then."""
        while (limit := self._due_until(clock_us)) is not None:
            yield from self._until(limit)

    def _due_until(self, clock_us: int) -> Key | None:
        """The last that is due; all that is held before it leaves with it."""
        limit: Key | None = None
        while self._by_due and self._by_due[0][0] <= clock_us:
            _, key = heappop(self._by_due)
            if key in self.held:
                limit = key if limit is None else max(limit, key)
        return limit

    def everything(self) -> Iterator[Sighting]:
        """All that is held, in order, and what is added meanwhile."""
        while self._by_time:
            yield from self._until(self._by_time[0])

    def drop(self, rules: Collection[str]) -> None:
        """Forget the sightings of these rules."""
        for key in [key for key in self.held if key[2] in rules]:
            self._let_go(key)
        self._by_time = [key for key in self._by_time if key in self.held]
        heapify(self._by_time)

    def _add_judgement(self, sighting: Sighting) -> None:
        """A sender whose clock is slow, or who was cut off, is waited for by our clock: what follows is as late."""
        group = sighting.judgement[:2] if sighting.judgement else ("", "")
        if self.judgements >= MOST_JUDGEMENTS or self._of_group[group] >= MOST_OF_A_GROUP:
            self.unjudged += 1
            return
        is_slow = sighting.received_us - sighting.at_us > self.lateness_us
        at_us = sighting.received_us if is_slow else sighting.at_us
        moved = replace(sighting, at_us=at_us, received_us=max(at_us, sighting.received_us))
        if key_of(moved) not in self.held:
            self._hold(key_of(moved), moved)

    def _hold(self, key: Key, sighting: Sighting) -> None:
        self.held[key] = sighting
        self.octets += len(sighting.event)
        if sighting.judgement is not None:
            self.judgements += 1
            self._of_group[sighting.judgement[:2]] += 1
        heappush(self._by_time, key)
        heappush(self._by_due, (sighting.received_us + self.lateness_us, key))

    def _until(self, limit: Key) -> Iterator[Sighting]:
        while self._by_time and self._by_time[0] <= limit:
            key = heappop(self._by_time)
            self.passed = max(self.passed, key)
            yield self._let_go(key)

    def _let_go(self, key: Key) -> Sighting:
        sighting = self.held.pop(key)
        self.octets -= len(sighting.event)
        if sighting.judgement is not None:
            self.judgements -= 1
            group = sighting.judgement[:2]
            self._of_group[group] -= 1
            if not self._of_group[group]:
                del self._of_group[group]
        return sighting


def key_of(sighting: Sighting) -> Key:
    return sighting.at_us, sighting.id, sighting.rule
