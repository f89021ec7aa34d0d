"""The sliding window of one group of a correlation: what is in it, and whether the condition holds.

Entries stand in order of (event time, event id). One that comes late is put in its place; what is
counted is not counted again for it. Nothing here knows a clock.
"""

from __future__ import annotations

import operator
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable

from soc.sigma.aggregates import Entry, Key, Moments, aggregate_of
from soc.sigma.rule import Correlation, Known

__all__ = ["COMPARE", "Entry", "Key", "Window", "microseconds"]

COMPARE: dict[str, Callable[[float, float], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "eq": operator.eq,
    "neq": operator.ne,
}


class Window:
    """One group's. `most`: entries kept; beyond it the oldest go, and `add` says how many.

    touched_us: when an event for it was last received. fresh: what came in since `soc.shelf` last sealed a
    chunk, in the order of coming; number and sealed are the shelf's.
    """

    __slots__ = (
        "_by_id",
        "aggregate",
        "correlation",
        "entries",
        "fresh",
        "keep_us",
        "most",
        "number",
        "sealed",
        "span_us",
        "touched_us",
    )

    def __init__(self, correlation: Correlation, most: int, entries: Iterable[Entry] = (), touched_us: int = 0) -> None:
        self.correlation, self.most, self.touched_us = correlation, most, touched_us
        self.span_us = microseconds(correlation)
        # What is said to be absent after a match is looked for in the timespan before and after it.
        self.keep_us = self.span_us * (2 if correlation.waits else 1)
        self.aggregate = aggregate_of(correlation)
        self.entries: list[Entry] = list(entries)
        self.number = 0
        self.fresh: list[Entry] = []
        self.sealed: tuple[tuple[int, int], ...] = ()  # sequence number and newest event time of each chunk
        self._by_id: dict[str, Entry] | None = None  # of a window that correlations feed
        for entry in self.entries:
            self.aggregate.add(entry)

    def add(self, entry: Entry) -> int | None:
        """Put an entry in. Returns how many were evicted for space, None when it came too late to count."""
        entries = self.entries
        if entries and entry < entries[-1]:
            if entry.at_us < entries[-1].at_us - self.keep_us:
                return None
            insort(entries, entry)
        else:
            entries.append(entry)
        self.aggregate.add(entry)
        self.fresh.append(entry)
        if self._by_id is not None:
            self._by_id[entry.id] = entry
        oldest = entries[-1].at_us - self.keep_us
        if entries[0].at_us < oldest:
            self._drop(bisect_left(entries, (oldest,)))
        return self._bound()

    def replace(self, entry: Entry) -> int | None:
        """As `add`, after an older entry of the same id is gone: an episode counts once, where it was last."""
        if self._by_id is None:
            self._by_id = {known.id: known for known in self.entries}
        known = self._by_id.get(entry.id)
        if known is not None and entry.at_us < known.at_us:
            return 0
        if known is not None:
            del self.entries[bisect_left(self.entries, known)]
            self.aggregate.remove(known)
        return self.add(entry)

    @property
    def rules(self) -> frozenset[str]:
        """Those whose matches make the condition hold."""
        terms = self.correlation.terms
        return frozenset(rule for term in terms for rule in term.has) if terms else frozenset(self.correlation.rules)

    def value(self) -> float:
        return self.aggregate.value() or 0.0

    def holds(self) -> bool:
        """Whether every condition holds for the window that ends at its last entry."""
        value = self.aggregate.value()
        return value is not None and all(COMPARE[op](value, limit) for op, limit in self.correlation.conditions)

    def meets(self, end: Entry, when: Known) -> bool:
        """Whether a term of the expression holds for the timespan that ends with this match.

        when: what is in the window by now; only terms that can be decided then, and not before, are looked at.
        """
        moments = self.aggregate
        return isinstance(moments, Moments) and any(
            moments.meets(term, end.at_us, self.span_us)
            for term in self.correlation.terms
            if term.known is when and (end.rule in term.has or not term.lacks)
        )

    def awaits(self, end: Entry) -> list[tuple[Known, int]]:
        """When terms that lack something have to be looked at with this match as the last, and how much later."""
        ordered = isinstance(self.aggregate, Moments) and self.aggregate.ordered
        later = dict.fromkeys(
            term.known
            for term in self.correlation.terms
            if term.lacks and end.rule in (term.has[-1:] if ordered and term.after else term.has)
        )
        return [(known, self.span_us if known is Known.AFTERWARDS else 0) for known in later]

    def _bound(self) -> int:
        over = len(self.entries) - self.most
        if over <= 0:
            return 0
        # In chunks, so that a full window does not move its whole list for every event.
        over = min(len(self.entries) - 1, max(over, self.most // 16))
        self._drop(over)
        return over

    def _drop(self, n: int) -> None:
        for entry in self.entries[:n]:
            self.aggregate.remove(entry)
            if self._by_id is not None:
                self._by_id.pop(entry.id, None)
        if n:
            del self.entries[:n]


def microseconds(correlation: Correlation) -> int:
    return round(correlation.timespan.total_seconds() * 1_000_000)
