"""Rules over stored events, oldest first, in bounded memory: `canh hunt --rules`.

The same matcher and the same windows as detection, without lateness (the events are in order) and without
alerts: each match of a rule that alerts, and each episode of a correlation where it begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from monitoring.event import Event
from soc.detection import sighting_of
from soc.sigma.correlator import Correlator, Firing
from soc.sigma.loader import RuleSet
from soc.sigma.matcher import Matcher, encode
from soc.sigma.rule import EPISODE_GAP, AnyRule

BATCH = 2000
MOST_EPISODES = 100_000  # the longest idle are forgotten first; one of them may then be told again


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A rule met an event, or a correlation's condition began to hold with it."""

    rule: AnyRule
    event_id: str  # of the event that made it hold
    at: datetime
    fields: tuple[tuple[str, str], ...]  # what matched, or the group; name and value
    events: int  # in the window; 1 for a plain rule
    event: Event | None  # None for a correlation


class Hunt:
    """State of one pass: windows, and which episodes go on."""

    def __init__(self, rules: RuleSet) -> None:
        self._matcher = Matcher(rules)
        self._correlator = Correlator(rules.correlations, self._identify)
        self._last: dict[tuple[str, str], int] = {}
        self._begun: list[Firing] = []

    def take(self, events: Iterable[Event]) -> Iterator[Found]:
        """What is found in events that come in the order of their time, also after those of an earlier call."""
        waiting = iter(events)
        while batch := list(islice(waiting, BATCH)):
            yield from self._batch(batch)

    def _batch(self, batch: list[Event]) -> Iterator[Found]:
        encoded = [encode(event) for event in batch]
        for at, rule, why in self._matcher.match(encoded):
            event = batch[at]
            if rule.alerts:
                fields = tuple((match.field, match.value) for match in why)
                yield Found(rule=rule, event_id=event.id, at=event.timestamp, fields=fields, events=1, event=event)
            if self._correlator.feeds(rule.id):
                self._correlator.take(sighting_of(rule.id, event, encoded[at]))
                yield from self._fired()
        self._correlator.changes()  # nobody writes them down
        self._correlator.expire(round(batch[-1].timestamp.timestamp() * 1_000_000))
        while len(self._last) > MOST_EPISODES:
            del self._last[next(iter(self._last))]

    def _fired(self) -> Iterator[Found]:
        begun, self._begun = self._begun, []
        for firing in begun:
            at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=firing.last.at_us)
            yield Found(
                rule=firing.correlation,
                event_id=firing.last.id,
                at=at,
                fields=firing.group,
                events=len(firing.entries),
                event=None,
            )

    def _identify(self, firing: Firing) -> str:
        """Only the first firing of an episode is told."""
        key = (firing.correlation.id, firing.key)
        gap = max(EPISODE_GAP, firing.correlation.timespan)
        last = self._last.pop(key, None)
        self._last[key] = firing.last.at_us
        if last is None or firing.last.at_us - last > gap.total_seconds() * 1_000_000:
            self._begun.append(firing)
        return f"{firing.correlation.id} {firing.key}"
