"""The sliding window of one group of a correlation: what is in it, and whether the condition holds.

Entries stand in order of (event time, event id). One added at the end costs O(log n) or less; one
that comes late is put in its place and everything is counted again. Nothing here knows a clock.
"""

from __future__ import annotations

import operator
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Callable, Iterable
from math import fsum
from typing import NamedTuple, Protocol

from soc.sigma.rule import Correlation, Kind

COMPARE: dict[str, Callable[[float, float], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "eq": operator.eq,
    "neq": operator.ne,
}


class Entry(NamedTuple):
    """One match of a rule the correlation names."""

    at_us: int  # @timestamp, microseconds since 1970 UTC
    id: str  # of the event, or of the episode when a correlation fired
    rule: str
    value: str = ""  # of the correlation's field; for the value_* types


class Aggregate(Protocol):
    """Counts what is in a window. `value` is None while there is nothing to compare."""

    def add(self, entry: Entry) -> None: ...
    def remove(self, entry: Entry) -> None: ...
    def value(self) -> float | None: ...


class Events:
    """event_count"""

    def __init__(self) -> None:
        self.n = 0

    def add(self, entry: Entry) -> None:
        self.n += 1

    def remove(self, entry: Entry) -> None:
        self.n -= 1

    def value(self) -> float | None:
        return self.n


class Distinct:
    """value_count (distinct values) and temporal (distinct rules)"""

    def __init__(self, key: Callable[[Entry], str]) -> None:
        self.key, self.counts = key, Counter[str]()

    def add(self, entry: Entry) -> None:
        if key := self.key(entry):
            self.counts[key] += 1

    def remove(self, entry: Entry) -> None:
        if key := self.key(entry):
            self.counts[key] -= 1
            if not self.counts[key]:
                del self.counts[key]

    def value(self) -> float | None:
        return len(self.counts)


class Ordered:
    """temporal_ordered: how many of the rules, from the first on, were met in their order within the span.

    `starts[k]` is the latest moment at which a sequence of the first k+1 rules can have begun.
    """

    def __init__(self, rules: tuple[str, ...], span_us: int) -> None:
        self.rules, self.span_us, self.now_us = rules, span_us, 0
        self.starts: list[int | None] = [None] * len(rules)

    def add(self, entry: Entry) -> None:
        self.now_us = entry.at_us
        for at in range(len(self.rules) - 1, -1, -1):
            if self.rules[at] == entry.rule:
                begun = entry.at_us if at == 0 else self.starts[at - 1]
                known = self.starts[at]
                if begun is not None:
                    self.starts[at] = begun if known is None else max(begun, known)

    def remove(self, entry: Entry) -> None:
        """What left the window is too long ago, which `value` sees by itself."""

    def value(self) -> float | None:
        met = (at + 1 for at, begun in enumerate(self.starts) if begun is not None and self._near(begun))
        return max(met, default=0)

    def _near(self, begun_us: int) -> bool:
        return self.now_us - begun_us <= self.span_us


class Numbers:
    """value_sum, value_avg, value_median, value_percentile: over the values that are numbers, kept sorted."""

    def __init__(self, kind: Kind, percentile: float) -> None:
        self.kind, self.percentile = kind, percentile
        self.values: list[float] = []

    def add(self, entry: Entry) -> None:
        if (number := _number(entry.value)) is not None:
            insort(self.values, number)

    def remove(self, entry: Entry) -> None:
        if (number := _number(entry.value)) is not None:
            del self.values[bisect_left(self.values, number)]

    def value(self) -> float | None:
        if not self.values:
            return None
        if self.kind is Kind.VALUE_SUM:
            return fsum(self.values)
        if self.kind is Kind.VALUE_AVG:
            return fsum(self.values) / len(self.values)
        rank = (self.percentile if self.kind is Kind.VALUE_PERCENTILE else 50.0) / 100 * (len(self.values) - 1)
        low = int(rank)
        high = min(low + 1, len(self.values) - 1)
        return self.values[low] + (self.values[high] - self.values[low]) * (rank - low)


def aggregate_of(correlation: Correlation) -> Aggregate:
    """A fresh, empty one."""
    match correlation.kind:
        case Kind.EVENT_COUNT:
            return Events()
        case Kind.VALUE_COUNT:
            return Distinct(lambda entry: entry.value)
        case Kind.TEMPORAL:
            return Distinct(lambda entry: entry.rule)
        case Kind.TEMPORAL_ORDERED:
            return Ordered(correlation.rules, microseconds(correlation))
        case _:
            return Numbers(correlation.kind, correlation.percentile)


class Window:
    """One group's. `most`: entries kept; beyond it the oldest go, and `add` says how many.

    touched_us: when an event for it was last received.
    """

    __slots__ = ("aggregate", "correlation", "entries", "most", "span_us", "touched_us")

    def __init__(self, correlation: Correlation, most: int, entries: Iterable[Entry] = (), touched_us: int = 0) -> None:
        self.correlation, self.most, self.touched_us = correlation, most, touched_us
        self.span_us = microseconds(correlation)
        self.entries: list[Entry] = list(entries)
        self._recount()

    def add(self, entry: Entry) -> int | None:
        """Put an entry in. Returns how many were evicted for space, None when it came too late to count."""
        entries = self.entries
        if entries and (entry.at_us, entry.id) <= entries[-1][:2]:
            return self._add_late(entry)
        entries.append(entry)
        self.aggregate.add(entry)
        self._drop(bisect_left(entries, (entry.at_us - self.span_us,)))
        return self._bound()

    def holds(self) -> bool:
        """Whether every condition holds for the window that ends at its last entry."""
        value = self.aggregate.value()
        return value is not None and all(COMPARE[op](value, limit) for op, limit in self.correlation.conditions)

    def replace(self, entry: Entry) -> int | None:
        """As `add`, after an older entry of the same id is gone: an episode counts once, where it was last."""
        if any(known.id == entry.id for known in self.entries):
            self.entries = [known for known in self.entries if known.id != entry.id]
            self._recount()
        return self.add(entry)

    def _add_late(self, entry: Entry) -> int | None:
        entries = self.entries
        if entry.at_us < entries[-1].at_us - self.span_us:
            return None
        entries.insert(bisect_right(entries, entry[:2], key=lambda known: known[:2]), entry)
        self._recount()
        return self._bound()

    def _bound(self) -> int:
        over = max(0, len(self.entries) - self.most)
        # In chunks, so that a full window does not move its whole list for every event.
        if over and (over := min(len(self.entries) - 1, max(over, self.most // 16))):
            self._drop(over)
        return over

    def _drop(self, n: int) -> None:
        for entry in self.entries[:n]:
            self.aggregate.remove(entry)
        if n:
            del self.entries[:n]

    def _recount(self) -> None:
        self.aggregate = aggregate_of(self.correlation)
        for entry in self.entries:
            self.aggregate.add(entry)


def microseconds(correlation: Correlation) -> int:
    return round(correlation.timespan.total_seconds() * 1_000_000)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number - number == 0 else None  # no infinity, no NaN
