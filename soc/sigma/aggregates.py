"""What a window counts, kept up to date entry by entry: adding and removing are cheap in any order of time.

Nothing here looks at a whole window again: a sum is exact in integers, the rest keeps its values or its
moments sorted. Inserting moves at most the few hundred kilobytes behind the place (a window is bounded).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple, Protocol

from soc.sigma.rule import Correlation, Kind, Term

Key = tuple[int, str]  # event time in microseconds, event id: the order in which entries stand


class Entry(NamedTuple):
    """One match of a rule the correlation names."""

    at_us: int  # @timestamp, microseconds since 1970 UTC
    id: str  # of the event, or of the episode when a correlation fired
    rule: str
    values: tuple[str, ...] = ()  # of the correlation's field; for the value_* types
    event: int = 0  # where its copy is kept; 0: nowhere


class Aggregate(Protocol):
    """Counts what is in a window. `value` is None while there is nothing to compare."""

    def add(self, entry: Entry) -> None: ...
    def remove(self, entry: Entry) -> None: ...
    def value(self) -> float | None: ...


class Events:
    """event_count"""

    __slots__ = ("n",)

    def __init__(self) -> None:
        self.n = 0

    def add(self, entry: Entry) -> None:
        self.n += 1

    def remove(self, entry: Entry) -> None:
        self.n -= 1

    def value(self) -> float | None:
        return self.n


class Distinct:
    """value_count: distinct values; every value of a field that has several counts."""

    __slots__ = ("counts",)

    def __init__(self) -> None:
        self.counts = Counter[str]()

    def add(self, entry: Entry) -> None:
        self.counts.update(entry.values)

    def remove(self, entry: Entry) -> None:
        for value in entry.values:
            self.counts[value] -= 1
            if not self.counts[value]:
                del self.counts[value]

    def value(self) -> float | None:
        return len(self.counts)


class Moments:
    """temporal and temporal_ordered: the event times of each rule's matches, sorted.

    Equal times are in order, whichever way round: many senders tell whole seconds.
    """

    __slots__ = ("of", "ordered", "rules")

    def __init__(self, rules: Sequence[str], *, ordered: bool) -> None:
        self.rules, self.ordered = rules, ordered
        self.of: dict[str, list[int]] = {rule: [] for rule in rules}

    def add(self, entry: Entry) -> None:
        insort(self.of[entry.rule], entry.at_us)

    def remove(self, entry: Entry) -> None:
        moments = self.of[entry.rule]
        del moments[bisect_left(moments, entry.at_us)]

    def value(self) -> float | None:
        """How many of the rules matched; when ordered, how many from the first on did in their order."""
        if not self.ordered:
            return sum(1 for moments in self.of.values() if moments)
        at_us = -1
        for met, rule in enumerate(self.rules):
            moments = self.of[rule]
            place = bisect_left(moments, at_us)
            if place == len(moments):
                return met
            at_us = moments[place]
        return len(self.rules)

    def meets(self, term: Term, end_us: int, span_us: int) -> bool:
        """Whether the term holds for the timespan that ends at `end_us`, by all that is in the window.

        One that lacks something holds at the moment its `has` is complete, one that does not as long as that is.
        """
        start_us = end_us - span_us
        first_us = self._first(term, start_us, end_us)
        if first_us is None:
            return False
        until_us = first_us if self.ordered else end_us
        return not (
            any(self._within(rule, start_us, until_us) for rule in term.before)
            or any(self._within(rule, first_us, end_us) for rule in term.between)
            or any(self._within(rule, end_us, end_us + span_us) for rule in term.after)
        )

    def _first(self, term: Term, start_us: int, end_us: int) -> int | None:
        """Where the latest matches of `has` up to `end_us` begin; None when one is missing."""
        if not self.ordered:
            return start_us if all(self._within(rule, start_us, end_us) for rule in term.has) else None
        if term.lacks and not self._within(term.has[-1], end_us, end_us):
            return None
        at_us = end_us
        for rule in reversed(term.has):
            moments = self.of[rule]
            place = bisect_right(moments, at_us)
            if not place or moments[place - 1] < start_us:
                return None
            at_us = moments[place - 1]
        return at_us

    def _within(self, rule: str, start_us: int, end_us: int) -> bool:
        """A match from `start_us` to `end_us`, both included."""
        moments = self.of[rule]
        place = bisect_left(moments, start_us)
        return place < len(moments) and moments[place] <= end_us


_SCALE = 1074  # every double is a whole multiple of 2 ** -1074


class Sum:
    """value_sum and value_avg, exact: floats added one by one would depend on the order, and overflow."""

    __slots__ = ("average", "n", "total")

    def __init__(self, *, average: bool) -> None:
        self.average, self.total, self.n = average, 0, 0

    def add(self, entry: Entry) -> None:
        for number in numbers(entry):
            self.total += _whole(number)
            self.n += 1

    def remove(self, entry: Entry) -> None:
        for number in numbers(entry):
            self.total -= _whole(number)
            self.n -= 1

    def value(self) -> float | None:
        if not self.n:
            return None
        try:
            return self.total / ((self.n if self.average else 1) << _SCALE)
        except OverflowError:
            return float("inf") if self.total > 0 else float("-inf")


class Ranks:
    """value_median and value_percentile: linear between the two nearest values."""

    __slots__ = ("percentile", "sorted")

    def __init__(self, percentile: float) -> None:
        self.percentile = percentile
        self.sorted: list[float] = []

    def add(self, entry: Entry) -> None:
        for number in numbers(entry):
            insort(self.sorted, number)

    def remove(self, entry: Entry) -> None:
        for number in numbers(entry):
            del self.sorted[bisect_left(self.sorted, number)]

    def value(self) -> float | None:
        if not self.sorted:
            return None
        rank = self.percentile / 100 * (len(self.sorted) - 1)
        place = int(rank)
        part, low, high = rank - place, self.sorted[place], self.sorted[min(place + 1, len(self.sorted) - 1)]
        step = high - low
        return low + part * step if isfinite(step) else low * (1 - part) + high * part


def aggregate_of(correlation: Correlation) -> Aggregate:
    """A fresh, empty one."""
    match correlation.kind:
        case Kind.EVENT_COUNT:
            return Events()
        case Kind.VALUE_COUNT:
            return Distinct()
        case Kind.TEMPORAL | Kind.TEMPORAL_ORDERED:
            return Moments(correlation.rules, ordered=correlation.kind is Kind.TEMPORAL_ORDERED)
        case Kind.VALUE_SUM | Kind.VALUE_AVG:
            return Sum(average=correlation.kind is Kind.VALUE_AVG)
        case Kind.VALUE_MEDIAN:
            return Ranks(50.0)
        case Kind.VALUE_PERCENTILE:
            return Ranks(correlation.percentile)


_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def number_of(text: str) -> float | None:
    """The finite decimal number a text is, None when it is none."""
    found = _NUMBER.fullmatch(text.strip()) if len(text) < 400 else None
    number = float(text) if found else None
    return number if number is not None and isfinite(number) else None


def numbers(entry: Entry) -> list[float]:
    return [float(value) for value in entry.values]  # only numbers come in: correlator._values


def _whole(number: float) -> int:
    """In units of 2 ** -1074."""
    top, bottom = number.as_integer_ratio()
    return top << (_SCALE + 1 - bottom.bit_length())
