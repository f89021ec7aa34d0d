"""Rules over a file of events, without state on disk: `canh rules eval`.

A correlation fires where its condition first holds in an episode; events are then counted in the
order of their own time, which is `@timestamp` (or the names Windows tools use for it).
"""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import canh_native

from monitoring.event import Value, flat
from soc.episodes import microseconds
from soc.sigma.correlator import Correlator, Firing, Sighting
from soc.sigma.loader import RuleSet
from soc.sigma.matcher import Matcher
from soc.sigma.rule import EPISODE_GAP

TIMES = ("@timestamp", "UtcTime", "SystemTime", "TimeCreated", "EventTime", "winlog.time_created")


def evaluate(
    rules: RuleSet,
    lines: Iterable[bytes],
    chunk: int = 2000,
    unreadable: Callable[[int], None] = lambda n: None,
    threads: int = 1,
) -> Iterator[str]:
    """NDJSON in, NDJSON matches out: {"event": n from 0, "rule_id", "title"}; blank lines are no events.

    lines: an empty one (b"") says that no more are there yet: what there is is matched.
    unreadable: told how many lines were no JSON object, when there were any.
    """
    matcher = Matcher(rules)
    correlated = _Correlated(rules)
    for start, batch in _batches(lines, chunk):
        for at, rule, _ in matcher.match(batch, threads):
            yield _said(start + at, rule.id, rule.title)
            if correlated.wants(rule.id):
                correlated.see(start + at, rule.id, batch[at])
    yield from correlated.fired()
    if matcher.invalid:
        unreadable(matcher.invalid)


class _Correlated:
    """The matches correlations look at, kept until all events are read."""

    def __init__(self, rules: RuleSet) -> None:
        self._correlator = Correlator(rules.correlations, self._identify)
        self._sightings: list[tuple[int, int, Sighting]] = []
        self._last: dict[tuple[str, str], int] = {}
        self._begun: list[tuple[Firing, int]] = []
        self._now = 0

    def wants(self, rule_id: str) -> bool:
        return self._correlator.feeds(rule_id)

    def see(self, number: int, rule_id: str, line: bytes) -> None:
        fields = dict(flat(json.loads(canh_native.fields_of(line))))
        at_us = _time_us(fields)
        sighting = Sighting(at_us=at_us, id=f"{number:020d}", rule=rule_id, received_us=at_us, fields=fields)
        self._sightings.append((at_us, number, sighting))

    def fired(self) -> Iterator[str]:
        for _, number, sighting in sorted(self._sightings, key=lambda s: s[:2]):
            self._now = number
            self._correlator.take(sighting)
        for firing, number in self._begun:
            yield _said(number, firing.correlation.id, firing.correlation.title)

    def _identify(self, firing: Firing) -> str:
        """Only the first firing of an episode is told."""
        key = (firing.correlation.id, firing.key)
        gap = max(EPISODE_GAP, firing.correlation.timespan)
        last = self._last.get(key)
        self._last[key] = firing.last.at_us
        if last is None or firing.last.at_us - last > gap.total_seconds() * 1_000_000:
            self._begun.append((firing, self._now))
        return f"{firing.correlation.id} {firing.key}"


def _batches(lines: Iterable[bytes], size: int) -> Iterator[tuple[int, list[bytes]]]:
    start: int = 0
    batch: list[bytes] = []
    for line in lines:
        if line.strip():
            # Files written on Windows often begin with a byte order mark.
            batch.append(line.removeprefix(BOM_UTF8) if not start + len(batch) else line)
        if len(batch) >= size or (batch and not line):
            yield start, batch
            start, batch = start + len(batch), []
    if batch:
        yield start, batch


def _said(number: int, rule_id: str, title: str) -> str:
    said: dict[str, Any] = {"event": number, "rule_id": rule_id, "title": title}
    return json.dumps(said, ensure_ascii=False)


def _time_us(fields: Mapping[str, Value]) -> int:
    """The event's own time; 0 when it says none that can be read."""
    for name in TIMES:
        text = str(fields.get(name, ""))
        try:
            when = datetime.fromisoformat(text.strip())
        except ValueError:
            continue
        return microseconds(when.replace(tzinfo=UTC) if when.tzinfo is None else when)
    return 0
