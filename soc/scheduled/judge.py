"""What the counts of a scheduled rule say at a moment. Pure: counts in, findings out.

A count is of one group, one value of the rule's field ("" where it has none) and one hour; where hours do not
matter, of all hours together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from soc.scheduled.rule import Kind, Scheduled

HOUR = timedelta(hours=1)
WEEK = timedelta(days=7)
_WEEKS = 4
_LEAST_WEEKS = 3  # fewer say nothing of what is usual


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Events of an hour."""

    group: tuple[str, ...]
    value: str
    hour: datetime
    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something to tell. key: the same again when it is found again."""

    group: tuple[str, ...]
    value: str
    key: str
    first: datetime
    last: datetime
    count: int
    why: tuple[str, str]  # what is there, what was asked


def history(rule: Scheduled) -> timedelta:
    """How long a group is known before it is judged."""
    return max(rule.learn, WEEK * _LEAST_WEEKS) if rule.kind is Kind.FELL else rule.learn


def judged(rule: Scheduled, counts: Iterable[Count], now: datetime, since: datetime) -> list[Finding]:
    """What is to be told at `now`, oldest first. counts: all of the last `over`. since: the last time it was asked."""
    groups: dict[tuple[str, ...], list[Count]] = {}
    for count in counts:
        if count.last >= now - rule.over:
            groups.setdefault(count.group, []).append(count)
    found: list[Finding] = []
    for group, counted in groups.items():
        begin = min(count.first for count in counted)
        if begin <= now - rule.learn:
            found += _JUDGES[rule.kind](rule, group, counted, now, since)
    return sorted(found, key=lambda finding: (finding.last, finding.group, finding.value))


def _first_seen(
    rule: Scheduled, group: tuple[str, ...], counts: list[Count], now: datetime, since: datetime
) -> Iterator[Finding]:
    begin = min(count.first for count in counts)
    for value, counted in _by_value(counts).items():
        first = min(count.first for count in counted)
        # A group's first days bring nothing but new values.
        if value and first >= since - HOUR and first > begin + rule.learn:
            n, last = sum(count.count for count in counted), max(count.last for count in counted)
            why = (value, f"not seen in {_days(rule.over)} before")
            yield Finding(
                group=group, value=value, key=first.strftime("%Y-%m-%dT%H"), first=first, last=last, count=n, why=why
            )


def _rare(
    rule: Scheduled, group: tuple[str, ...], counts: list[Count], now: datetime, since: datetime
) -> Iterator[Finding]:
    for value, counted in _by_value(counts).items():
        n, last = sum(count.count for count in counted), max(count.last for count in counted)
        if value and n <= rule.at_most and last >= since - HOUR:
            first = min(count.first for count in counted)
            why = (f"{value}: {n}", f"at most {rule.at_most} in {_days(rule.over)}")
            yield Finding(
                group=group, value=value, key=first.date().isoformat(), first=first, last=last, count=n, why=why
            )


def _absent(
    rule: Scheduled, group: tuple[str, ...], counts: list[Count], now: datetime, since: datetime
) -> Iterator[Finding]:
    last = max(count.last for count in counts)
    if last < now - rule.silent_for:
        why = (f"last at {last:%Y-%m-%d %H:%M} UTC", f"nothing for {_span(rule.silent_for)}")
        yield Finding(group=group, value="", key=last.isoformat(), first=last, last=last, count=1, why=why)


def _fell(
    rule: Scheduled, group: tuple[str, ...], counts: list[Count], now: datetime, since: datetime
) -> Iterator[Finding]:
    by_hour: dict[datetime, int] = {}
    for count in counts:
        by_hour[count.hour] = by_hour.get(count.hour, 0) + count.count
    begin = min(by_hour)
    hour = max(begin, since.replace(minute=0, second=0, microsecond=0) - HOUR)
    while hour + HOUR <= now:
        weeks = [hour - WEEK * n for n in range(1, _WEEKS + 1) if hour - WEEK * n >= begin]
        usual = median([by_hour.get(week, 0) for week in weeks]) if len(weeks) >= _LEAST_WEEKS else 0
        there = by_hour.get(hour, 0)
        if usual >= rule.at_least and there * 100 < usual * rule.below_pct:
            why = (f"{there} events", f"less than {rule.below_pct} % of {usual:g}, usual in this hour of the week")
            key = hour.isoformat()
            yield Finding(group=group, value="", key=key, first=hour, last=hour + HOUR, count=there, why=why)
        hour += HOUR


_JUDGES = {Kind.FIRST_SEEN: _first_seen, Kind.RARE: _rare, Kind.ABSENT: _absent, Kind.FELL: _fell}


def _by_value(counts: Iterable[Count]) -> Mapping[str, list[Count]]:
    values: dict[str, list[Count]] = {}
    for count in counts:
        values.setdefault(count.value, []).append(count)
    return values


def _days(span: timedelta) -> str:
    return f"{span.days} d" if span >= timedelta(days=1) else _span(span)


def _span(span: timedelta) -> str:
    seconds = round(span.total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
