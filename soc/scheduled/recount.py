"""What `Counts` keeps in a file, kept in memory: for a rule that is asked a thousand times in a row and then no more.

Only what a look changes is added up again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from soc.scheduled.counts import MOST_COUNTS
from soc.scheduled.judge import Count, Finding
from soc.scheduled.rule import Kind, Scheduled

_Pair = tuple[tuple[str, ...], str]  # group and value


class Recount:
    """The counts of one rule."""

    def __init__(self) -> None:
        self._asked: datetime | None = None
        self._told: set[tuple[_Pair, str]] = set()
        self._counted: dict[_Pair, dict[datetime, Count]] = defaultdict(dict)
        self._pairs: dict[datetime, set[_Pair]] = defaultdict(set)  # by hour
        self._number: Counter[_Pair] = Counter()  # of events
        self._sums: dict[_Pair, Count] = {}
        self._held = 0

    def asked(self, rule: Scheduled) -> datetime | None:
        return self._asked

    def replace(self, rule: Scheduled, since: datetime, counts: Iterable[Count], now: datetime) -> int:
        low, high = _whole(now - rule.over), _whole(since)
        touched: set[_Pair] = set()
        for hour in [hour for hour in self._pairs if hour < low or hour >= high]:
            for pair in self._pairs.pop(hour):
                self._number[pair] -= self._counted[pair].pop(hour).count
                touched.add(pair)
                self._held -= 1
        left = 0
        for count in counts:
            if self._held >= MOST_COUNTS:
                left += 1
                continue
            pair = count.group, count.value
            self._counted[pair][count.hour] = count
            self._number[pair] += count.count
            self._pairs[count.hour].add(pair)
            touched.add(pair)
            self._held += 1
        for pair in touched:
            self._add_up(pair)
        return left

    def of(self, rule: Scheduled) -> Iterable[Count]:
        if rule.kind is Kind.FELL:
            return (count for hours in self._counted.values() for count in hours.values())
        return self._sums.values()

    def is_told(self, rule: Scheduled, finding: Finding) -> bool:
        return ((finding.group, finding.value), finding.key) in self._told

    def told(self, rule: Scheduled, findings: Iterable[Finding], now: datetime, end: datetime) -> None:
        self._asked = end
        self._told.update(((finding.group, finding.value), finding.key) for finding in findings)

    def _add_up(self, pair: _Pair) -> None:
        hours = self._counted[pair]
        if not hours:
            del self._counted[pair], self._number[pair]
            self._sums.pop(pair, None)
            return
        first, last = hours[min(hours)], hours[max(hours)]
        self._sums[pair] = replace(first, count=self._number[pair], last=last.last)


def _whole(when: datetime) -> datetime:
    return when.replace(minute=0, second=0, microsecond=0)
