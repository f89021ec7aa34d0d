"""Detection without files or clocks: events in, episodes out.

Stateless matches alert on arrival. Matches that feed correlations wait in `Pending`, then count in
event time. `clock` is a received time, so that a replay of the spool does the same again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from monitoring.event import Event, Value
from soc.alert import FieldMatch
from soc.episodes import Episodes, device_of, microseconds
from soc.pending import Pending
from soc.shelf import Shelf, number_of_event
from soc.sigma.correlator import Correlator, Firing, Sighting
from soc.sigma.loader import RuleSet
from soc.sigma.matcher import Matcher, decode, encode
from soc.sigma.rule import Rule

# What `counters` tells that says how it is now; the others say how often something happened.
GAUGES = frozenset({"waiting", "groups", "groups_in_memory", "entries_in_memory", "copied_octets", "episodes"})
_EXPIRE_EVERY_US = 10_000_000
_SLACK_US = 180_000_000  # copies outlive the windows that may reach them
_PUT_BACK_US = 600_000_000  # a clock that goes back further was wrong before: nothing is received so far out of order
MOST_UNWRITTEN = 32 << 20  # octets of copies
_REASONS = (
    "late_beyond_window",
    "entries_evicted",
    "groups_spilled",
    "groups_recalled",
    "without_group",
    "without_value",
    "values_cut",
)


class Detection:
    """All state of detection in memory. `soc.outbox` writes it down and brings it back."""

    def __init__(self, rules: RuleSet, lateness: timedelta) -> None:
        self.rules = rules
        self.matcher = Matcher(rules)
        self.episodes = Episodes()
        self.correlator = Correlator(rules.correlations, self._identify)
        self.pending = Pending(round(lateness / timedelta(microseconds=1)))
        self.clock_us = 0
        self.events = self.matches = self.unreadable = self.defects = self.put_back = 0
        self._expired_us = self._serial = self._copied_octets = 0
        self._shelf: Shelf | None = None
        self._copies: list[tuple[int, bytes]] = []
        self._last_copy = ("", 0, 0)  # event id, until when and where it is kept
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
            number = self._copied(event, encoded, rule.id) if self._shelf is not None else 0
            needed = self.correlator.fields_of(rule.id)
            self._count(self.pending.add(sighting_of(rule.id, event, encoded, needed, number)))

    def advance(self, clock_us: int, now: datetime) -> None:
        """Everything received before `clock_us` was taken: count what has waited long enough."""
        self._now = now
        if max(self.clock_us, self._expired_us) - max(clock_us, microseconds(now)) > _PUT_BACK_US:
            self._go_back(clock_us)
        self.clock_us = max(self.clock_us, clock_us)
        self._count(self.pending.due(self.clock_us))
        # At round moments, so that a replay lets go of the same things at the same places.
        tick_us = self.clock_us - self.clock_us % _EXPIRE_EVERY_US
        if tick_us > self._expired_us:
            self._expired_us = tick_us
            self.correlator.expire(tick_us - self.pending.lateness_us)
            # What belongs to an episode may itself be as late as the one before it was early.
            self.episodes.expire(tick_us - 2 * self.pending.lateness_us)

    def _go_back(self, clock_us: int) -> None:
        """Our own clock was ahead and was put back: by what it said last every group would be over for as long."""
        self.put_back += 1
        self._count(self.pending.everything())
        self.clock_us, self._expired_us = clock_us, clock_us - clock_us % _EXPIRE_EVERY_US
        self.pending.passed = min(self.pending.passed, (clock_us, "", ""))
        self.correlator.put_back(clock_us)
        self.episodes.put_back(clock_us)

    @property
    def is_heavy(self) -> bool:
        """So much changed since the last commit that the next should not wait: it cannot leave memory before."""
        return self.correlator.is_heavy or self._copied_octets > MOST_UNWRITTEN

    def copies(self) -> list[tuple[int, bytes]]:
        """Events correlations count that came since the last call: where each is kept, and the event."""
        copies, self._copies, self._copied_octets = self._copies, [], 0
        return copies

    def state(self) -> Mapping[str, Any]:
        """What has to be known again beside what waits, windows and episodes. JSON."""
        return {"passed": self.pending.passed, "expired_us": self._expired_us, "serial": self._serial}

    def resume(self, shelf: Shelf, state: Mapping[str, Any]) -> None:
        """Go on after a start, from what `state` gave; empty for the first. Groups are on the shelf."""
        self._shelf = self.correlator.shelf = shelf
        if state:
            at_us, event_id, rule = state["passed"]
            self.pending.passed = (at_us, event_id, rule)
            self._expired_us, self._serial = state["expired_us"], state["serial"]
            self.correlator.expire(self._expired_us - self.pending.lateness_us)

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
        self._look_again()
        self.episodes.end(changed)
        return changed

    def _look_again(self) -> None:
        """Another correlation may look at other fields of what waits."""
        for key, held in self.pending.held.items():
            if held.event and not held.judgement:
                fields = _chosen(decode(held.event), self.correlator.fields_of(held.rule))
                self.pending.held[key] = replace(held, fields=fields)

    def flush(self, now: datetime) -> None:
        """Count all that waits; for a finished set of events, never on a stream."""
        self._now = now
        self._count(self.pending.everything())

    def counters(self) -> Mapping[str, int]:
        """Everything that was cut, late or let go, by reason, and how full it is."""
        counts, shelf = self.correlator.counts, self._shelf
        return {
            "events": self.events,
            "matches": self.matches,
            "alerts": self.episodes.raised,
            "unreadable_events": self.unreadable + self.matcher.invalid,
            "no_event": self.defects,
            "clock_put_back": self.put_back,
            "late": self.pending.late,
            "released_early": self.pending.early,
            "unjudged": self.pending.unjudged,
            **{reason: counts[reason] for reason in _REASONS},
            "groups_evicted": counts["groups_evicted"] + (shelf.counts["groups_evicted"] if shelf else 0),
            "copies_evicted": shelf.counts["copies_evicted"] if shelf else 0,
            "episodes_evicted": self.episodes.counts["episodes_evicted"],
            "episodes_gathered": self.episodes.counts["episodes_gathered"],
            "waiting": len(self.pending.held),
            "groups": shelf.groups.total() if shelf else self.correlator.groups,
            "groups_in_memory": self.correlator.groups,
            "entries_in_memory": self.correlator.entries,
            "copied_octets": shelf.event_octets if shelf else 0,
            "episodes": len(self.episodes),
        }

    def _count(self, sightings: Iterator[Sighting]) -> None:
        for sighting in sightings:
            self.correlator.take(sighting)
            for later in self.correlator.later():
                self.pending.add(later)

    def _copied(self, event: Event, encoded: bytes, rule_id: str) -> int:
        """Where the copy of an event is kept: one, however many rules it matches one after the other."""
        until_us = microseconds(event.received) + self.correlator.reach_us(rule_id) + _SLACK_US
        if self._last_copy[0] == event.id and until_us <= self._last_copy[1]:
            return self._last_copy[2]
        self._serial += 1
        number = number_of_event(until_us, self._serial)
        self._last_copy = (event.id, until_us, number)
        self._copies.append((number, encoded))
        self._copied_octets += len(encoded)
        return number

    def _identify(self, firing: Firing) -> str:
        alert_id, kept = self.episodes.fire(firing, self._now)
        self.correlator.keep(alert_id, kept)
        return alert_id


def sighting_of(
    rule_id: str, event: Event, encoded: bytes, fields: Collection[str] | None = None, number: int = 0
) -> Sighting:
    """A match of an event, on its way to correlations. fields: those they look at, None for all of them."""
    return Sighting(
        at_us=microseconds(event.timestamp),
        id=event.id,
        rule=rule_id,
        received_us=microseconds(event.received),
        fields=event.fields if fields is None else _chosen(event, fields),
        device=device_of(event),
        site=event.text("canh.site"),
        event=encoded,
        number=number,
    )


def _chosen(event: Event, names: Collection[str]) -> Mapping[str, Value]:
    return {name: event.fields[name] for name in names if name in event.fields}
