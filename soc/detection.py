"""Detection without files or clocks: events in, episodes out.

Stateless matches alert on arrival. Matches that feed correlations wait in `Pending`, then count in
event time. `clock` is a received time, so that a replay of the spool does the same again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from monitoring.event import Event
from soc.alert import FieldMatch
from soc.episodes import Episodes, device_of, microseconds
from soc.pending import Pending
from soc.sigma.correlator import Correlator, Firing, Sighting
from soc.sigma.loader import RuleSet
from soc.sigma.matcher import Matcher, encode
from soc.sigma.rule import Rule

_EXPIRE_EVERY_US = 10_000_000


class Detection:
    """All state of detection in memory. `soc.outbox` writes it down and brings it back."""

    def __init__(self, rules: RuleSet, lateness: timedelta) -> None:
        self.rules = rules
        self.matcher = Matcher(rules)
        self.episodes = Episodes()
        self.correlator = Correlator(rules.correlations, self._identify)
        self.pending = Pending(round(lateness / timedelta(microseconds=1)))
        self.clock_us = 0
        self.events = self.matches = self.unreadable = self.defects = 0
        self._expired_us = 0
        self._now = datetime.min.replace(tzinfo=UTC)

    def take(self, events: Sequence[Event], now: datetime) -> None:
        """Match a batch of events, in the order they were received. now: what alerts are raised at."""
        self.events += len(events)
        encoded = [encode(event) for event in events]
        for index, rule, fields in self.matcher.match(encoded):
            self.matched(rule, events[index], encoded[index], fields, now)

    def passed(self, events: int, unreadable: int = 0, defects: int = 0) -> None:
        """Events were matched elsewhere. unreadable: by the engine; defects: records that gave no event."""
        self.events += events
        self.unreadable += unreadable
        self.defects += defects

    def matched(self, rule: Rule, event: Event, encoded: bytes, fields: tuple[FieldMatch, ...], now: datetime) -> None:
        """Take a match that was found elsewhere, in the order of receiving. encoded: the event as `encode` gives it."""
        self.matches += 1
        self.advance(microseconds(event.received), now)
        if rule.alerts:
            self.episodes.see(rule, event, encoded, fields, now)
        if self.correlator.feeds(rule.id):
            self._count(self.pending.add(sighting_of(rule.id, event, encoded)))

    def advance(self, clock_us: int, now: datetime) -> None:
        """Everything received before `clock_us` was taken: count what has waited long enough."""
        self._now = now
        self.clock_us = max(self.clock_us, clock_us)
        self._count(self.pending.due(self.clock_us))
        # At round moments, so that a replay lets go of the same things at the same places.
        tick_us = self.clock_us - self.clock_us % _EXPIRE_EVERY_US
        if tick_us > self._expired_us:
            self._expired_us = tick_us
            self.correlator.expire(tick_us - self.pending.lateness_us)
            self.episodes.expire(tick_us - self.pending.lateness_us)

    def replace_rules(self, rules: RuleSet) -> frozenset[str]:
        """Go on with another rule set, from the next batch on. Returns the ids whose state was dropped.

        What waits, windows and episodes of rules that did not change go on; those of rules that changed
        or are gone are let go, as after a start. Commit before and after (`Outbox.commit`): then the
        position at which the rules changed is written down, and a replay changes them at the same place.
        """
        now = {rule.id: rule.state for rule in rules.all}
        changed = frozenset(rule.id for rule in self.rules.all if now.get(rule.id) != rule.state)
        invalid, self.rules, self.matcher = self.matcher.invalid, rules, Matcher(rules)
        self.matcher.invalid = invalid
        self.pending.drop(changed)
        self.correlator.replace(rules.correlations)
        self.episodes.end(changed)
        return changed

    def flush(self, now: datetime) -> None:
        """Count all that waits; for a finished set of events, never on a stream."""
        last = max((s.received_us for s in self.pending.held.values()), default=self.clock_us)
        self.advance(last + self.pending.lateness_us, now)

    def counters(self) -> Mapping[str, int]:
        """Everything that was cut, late or let go, by reason, and how full it is."""
        return {
            "events": self.events,
            "matches": self.matches,
            "alerts": self.episodes.raised,
            "unreadable_events": self.unreadable + self.matcher.invalid,
            "no_event": self.defects,
            "late": self.pending.late,
            "released_early": self.pending.early,
            "late_beyond_window": self.correlator.counts["late_beyond_window"],
            "groups_evicted": self.correlator.counts["groups_evicted"],
            "entries_evicted": self.correlator.counts["entries_evicted"],
            "episodes_evicted": self.episodes.counts["episodes_evicted"],
            "waiting": len(self.pending.held),
            "groups": self.correlator.groups,
            "episodes": len(self.episodes),
        }

    def _count(self, sightings: Sequence[Sighting]) -> None:
        for sighting in sightings:
            self.correlator.take(sighting)

    def _identify(self, firing: Firing) -> str:
        alert_id, kept = self.episodes.fire(firing, self._now)
        self.correlator.keep(alert_id, firing, kept)
        return alert_id


def sighting_of(rule_id: str, event: Event, encoded: bytes) -> Sighting:
    """A match of an event, on its way to correlations."""
    return Sighting(
        at_us=microseconds(event.timestamp),
        id=event.id,
        rule=rule_id,
        received_us=microseconds(event.received),
        fields=event.fields,
        device=device_of(event),
        site=event.text("canh.site"),
        event=encoded,
    )
