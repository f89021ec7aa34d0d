"""Asking the store for what scheduled rules look at, judging, raising alerts. Effects are here.

    store ► counts by hour ► judge ► alert ► case store

The last hours are asked again each time, so that events that came late count. While the store itself is
behind nothing is judged: what is not there yet would look like what is missing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID, uuid5

from monitoring.event import Event
from monitoring.query import All, Exists, Node, Term
from monitoring.store import Tally
from soc.alert import Alert, FieldMatch
from soc.scheduled.judge import HOUR, Count, Finding, judged
from soc.scheduled.rule import Scheduled

AGAIN = timedelta(hours=3)  # so late an event may come and still count
FRESH = timedelta(minutes=10)  # the store must have something received within, else it is behind
SETTLE = timedelta(minutes=1)  # from receiving to being found, with room
_BEHIND = "the store holds nothing of the last minutes"
_SAMPLES = 5
_NAMESPACE = UUID("b6f6a0a5-5f4e-5d52-9f0a-1b8a6d2f3c90")
_DEVICE_FIELDS = ("host.name", "observer.name")


class Cases(Protocol):
    def deliver(self, alerts: Iterable[Alert]) -> int: ...


class Answers(Protocol):
    """What of an `EventStore` is asked."""

    def count(self, query: str | Node, start: datetime, end: datetime) -> int: ...

    def search(self, query: str | Node, start: datetime, end: datetime, limit: int) -> Iterator[Event]: ...

    def tally(
        self, fields: Sequence[str], query: str | Node, start: datetime, end: datetime, *, step: timedelta
    ) -> Iterator[Tally]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a run of a rule gave."""

    rule: Scheduled
    alerts: tuple[Alert, ...]
    counts: int
    left_out: int  # counts that did not fit
    skipped: str = ""  # why it was not judged


class Memory(Protocol):
    """What the store was asked already: `Counts`."""

    def asked(self, rule: Scheduled) -> datetime | None: ...

    def replace(self, rule: Scheduled, since: datetime, counts: Iterable[Count], now: datetime) -> int: ...

    def of(self, rule: Scheduled) -> Iterable[Count]: ...

    def is_told(self, rule: Scheduled, finding: Finding) -> bool: ...

    def told(self, rule: Scheduled, findings: Iterable[Finding], now: datetime, end: datetime) -> None: ...


class Runner:
    """Over one store."""

    def __init__(
        self, store: Answers, counts: Memory, cases: Cases, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._store, self._counts, self._cases, self._clock = store, counts, cases, clock

    def due(self, rules: Iterable[Scheduled]) -> list[Scheduled]:
        """Those whose time has come."""
        now, found = self._clock(), []
        for rule in rules:
            if not rule.alerts:  # switched off by a filter
                continue
            asked = self._last(rule, now)
            if asked is None or now - asked >= rule.every:
                found.append(rule)
        return found

    def run(self, rule: Scheduled) -> Ran:
        """Ask, judge, raise. Raises StoreError, QueryError, DatabaseError."""
        now = self._clock()
        if not self._store.count("*", now - FRESH, now + FRESH):
            return Ran(rule=rule, alerts=(), counts=0, left_out=0, skipped=_BEHIND)
        end, asked = now - SETTLE, self._last(rule, now)
        begin = _whole(end - rule.over if asked is None else max(end - rule.over, asked - AGAIN))
        left_out = self._counts.replace(rule, begin, self._asked(rule, begin, end), end)
        counts = list(self._counts.of(rule))
        fresh = [
            finding
            for finding in judged(rule, counts, end, asked or end - rule.every)
            if not self._counts.is_told(rule, finding)
        ]
        alerts = [self._alert(rule, finding, now) for finding in fresh[: rule.most]]
        if len(fresh) > rule.most:
            alerts.append(self._summary(rule, fresh[rule.most :], now))
        self._cases.deliver(alerts)
        self._counts.told(rule, fresh, now, end)
        return Ran(rule=rule, alerts=tuple(alerts), counts=len(counts), left_out=left_out)

    def _last(self, rule: Scheduled, now: datetime) -> datetime | None:
        """Up to when it was asked; None when never, or later than now: the clock was put back since."""
        asked = self._counts.asked(rule)
        return asked if asked is not None and asked <= now else None

    def _asked(self, rule: Scheduled, begin: datetime, end: datetime) -> Iterator[Count]:
        """Day by day, so that a first look at a month holds no more than a day."""
        while begin < end:
            until = min(end, begin + timedelta(days=1))
            for tally in self._store.tally(rule.fields, present(rule), begin, until, step=HOUR):
                yield Count(
                    group=tally.values[: len(rule.group_by)],
                    value=tally.values[-1] if rule.field else "",
                    hour=tally.start,
                    count=tally.count,
                    first=tally.first,
                    last=tally.last,
                )
            begin = until

    def _alert(self, rule: Scheduled, finding: Finding, now: datetime) -> Alert:
        group = tuple(zip(rule.group_by, finding.group, strict=True))
        if rule.field:
            group += ((rule.field, finding.value),)
        chosen: Node = All((present(rule), *(Term(name, value) for name, value in group)))
        events = tuple(self._store.search(chosen, finding.first, finding.last + HOUR, limit=_SAMPLES))
        there, asked = finding.why
        return Alert(
            id=str(uuid5(_NAMESPACE, json.dumps([rule.id, *finding.group, finding.value, finding.key]))),
            rule_id=rule.id,
            title=rule.title,
            level=rule.level,
            tags=rule.tags,
            device=next((value for name, value in group if name in _DEVICE_FIELDS), ""),
            site=events[0].text("canh.site") if events else dict(group).get("canh.site", ""),
            group=group,
            count=max(1, finding.count),
            first_seen=finding.first,
            last_seen=finding.last,
            raised_at=now,
            received_at=now,
            matches=(FieldMatch(selection=str(rule.kind), field=rule.field or "events", value=there, pattern=asked),),
            events=events,
        )

    def _summary(self, rule: Scheduled, findings: list[Finding], now: datetime) -> Alert:
        """One alert for what is more than a person reads."""
        told = [(*f.group, f.value, f.key) for f in findings]
        names = ", ".join(" ".join(part for part in (*f.group, f.value) if part) for f in findings[:100])
        return Alert(
            id=str(uuid5(_NAMESPACE, json.dumps([rule.id, "summary", *told]))),
            rule_id=rule.id,
            title=rule.title,
            level=rule.level,
            tags=rule.tags,
            device="",
            site="",
            group=(("further", str(len(findings))),),
            count=len(findings),
            first_seen=min(f.first for f in findings),
            last_seen=max(f.last for f in findings),
            raised_at=now,
            received_at=now,
            matches=(FieldMatch(selection=str(rule.kind), field="further", value=names, pattern=f"after {rule.most}"),),
            events=(),
        )


def present(rule: Scheduled) -> Node:
    """The rule's events that have a group: those without would all be one."""
    return All((rule.node, *(Exists(name) for name in rule.group_by)))


def _whole(when: datetime) -> datetime:
    return when.replace(minute=0, second=0, microsecond=0)
