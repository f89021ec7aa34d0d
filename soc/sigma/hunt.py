"""Rules over stored events, oldest first, in bounded memory: `canh hunt --rules`, and what replay builds on.

The same `Detection` as on the stream, so that episodes are those that would have been alerts. Stored events come
in the order of their time, so none is late: each counts as received when it happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from monitoring.event import Event
from soc.detection import Detection
from soc.episodes import moment
from soc.sigma.correlator import Firing
from soc.sigma.loader import RuleSet
from soc.sigma.matcher import Match, encode
from soc.sigma.rule import AnyRule

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


class Past(Detection):
    """Detection over events that are given in the order of their time."""

    def __init__(self, rules: RuleSet, lateness: timedelta = timedelta()) -> None:
        super().__init__(rules, lateness)
        self.begun: list[Firing] = []  # with which a correlation's episode began
        self._last: dict[tuple[str, str], str] = {}  # rule and group -> alert

    def met(self, match: Match, event: Event, encoded: bytes) -> None:
        """Take a match of `event`."""
        on_time = Event({**event.fields, "event.ingested": event.fields["@timestamp"]})
        self.matched(match.rule, on_time, encoded, match.fields, event.timestamp)

    def forget(self) -> None:
        """Nobody writes down what the windows hold."""
        self.correlator.changes()
        while len(self._last) > MOST_EPISODES:
            del self._last[next(iter(self._last))]

    def _identify(self, firing: Firing) -> str:
        alert_id = super()._identify(firing)
        key = (firing.correlation.id, firing.key)
        if self._last.pop(key, None) != alert_id:
            self.begun.append(firing)
        self._last[key] = alert_id
        return alert_id


class Hunt:
    """State of one pass: windows, and which episodes go on."""

    def __init__(self, rules: RuleSet) -> None:
        self._past = Past(rules)

    def take(self, events: Iterable[Event]) -> Iterator[Found]:
        """What is found in events that come in the order of their time, also after those of an earlier call."""
        waiting = iter(events)
        while batch := list(islice(waiting, BATCH)):
            yield from self._batch(batch)

    def _batch(self, batch: Sequence[Event]) -> Iterator[Found]:
        encoded = [encode(event) for event in batch]
        for match in self._past.matcher.match(encoded):
            event = batch[match.event]
            if match.rule.alerts:
                fields = tuple((why.field, why.value) for why in match.fields)
                yield Found(
                    rule=match.rule, event_id=event.id, at=event.timestamp, fields=fields, events=1, event=event
                )
            self._past.met(match, event, encoded[match.event])
            yield from self._fired()
        self._past.flush(datetime.now(UTC))
        yield from self._fired()
        self._past.forget()
        self._past.episodes.changes()

    def _fired(self) -> Iterator[Found]:
        begun, self._past.begun = self._past.begun, []
        for firing in begun:
            yield Found(
                rule=firing.correlation,
                event_id=firing.last.id,
                at=moment(firing.last.at_us),
                fields=firing.group,
                events=firing.high - firing.low,
                event=None,
            )
