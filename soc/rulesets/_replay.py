"""What rules would have raised over stored days, and what a change to them would have silenced or added.

Both rule sets see the same events through the same detection as the stream. An alert counts as silenced when
no alert of the same rule and group overlaps it afterwards: the first event of an alert gives its id, so one
that lost that event has another id and is still there.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from monitoring.event import Event
from soc.episodes import Episode, moment
from soc.rulesets._plan import Plan
from soc.sigma.hunt import BATCH, Past
from soc.sigma.loader import RuleSet
from soc.sigma.matcher import encode
from soc.sigma.rule import AnyRule

MOST_ALERTS = 100_000  # each side; beyond, alerts are counted and no longer compared one by one
SAMPLES = 5  # of what is silenced and of what is new, each rule


@dataclass(slots=True)
class Raised:
    """An alert that would have been. Moments are microseconds since 1970 UTC."""

    rule_id: str
    key: str
    device: str
    group: tuple[tuple[str, str], ...]
    first_us: int
    last_us: int
    count: int

    def said(self) -> dict[str, Any]:
        return {
            "first": moment(self.first_us).isoformat(timespec="seconds"),
            "last": moment(self.last_us).isoformat(timespec="seconds"),
            "device": self.device,
            "group": dict(self.group),
            "events": self.count,
        }


@dataclass(slots=True)
class Effect:
    """Of one rule: pairs are before and after."""

    rule: AnyRule
    alerts: list[int] = field(default_factory=lambda: [0, 0])
    events: list[int] = field(default_factory=lambda: [0, 0])
    by_day: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    by_device: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    silenced: int = 0
    added: int = 0
    silenced_samples: list[dict[str, Any]] = field(default_factory=list)
    added_samples: list[dict[str, Any]] = field(default_factory=list)

    def said(self) -> dict[str, Any]:
        return {
            "id": self.rule.id,
            "title": self.rule.title,
            "level": self.rule.level,
            "alerts": self.alerts,
            "events": self.events,
            "silenced": self.silenced,
            "added": self.added,
            "by_day": dict(sorted(self.by_day.items())),
            "by_device": dict(sorted(self.by_device.items())),
            "samples": {"silenced": self.silenced_samples, "added": self.added_samples},
        }


class Replay:
    """One pass over stored events, oldest first."""

    def __init__(self, plan: Plan, lateness: timedelta) -> None:
        self._plan = plan
        self._sides = [_Side(plan.before, lateness)]
        if plan.is_change:
            self._sides.append(_Side(plan.after, lateness))
        self.events = 0

    def take(self, events: Iterable[Event]) -> None:
        """Show both sides what comes next in time."""
        waiting = iter(events)
        while batch := list(islice(waiting, BATCH)):
            self.events += len(batch)
            encoded = [encode(event) for event in batch]
            for side in self._sides:
                side.take(batch, encoded)

    @property
    def counters(self) -> Mapping[str, int]:
        """What was let go of for want of room, on either side."""
        return dict(sum((side.let_go() for side in self._sides), Counter()))

    def effects(self) -> tuple[Effect, ...]:
        """Of each rule that is told of, in their order."""
        found = [side.finished() for side in self._sides]
        before, after = found[0], found[-1]
        effects = {rule.id: Effect(rule=rule) for rule in self._plan.told}
        for place, side in enumerate((before, after)):
            for raised in side:
                if effect := effects.get(raised.rule_id):
                    _count(effect, raised, place)
        if self._plan.is_change:
            for lost in _without_peer(before, after, effects):
                effects[lost.rule_id].silenced += 1
                _sample(effects[lost.rule_id].silenced_samples, lost)
            for new in _without_peer(after, before, effects):
                effects[new.rule_id].added += 1
                _sample(effects[new.rule_id].added_samples, new)
        else:
            for one in before:
                if effect := effects.get(one.rule_id):
                    _sample(effect.added_samples, one)
        return tuple(effects.values())


class _Side:
    """One rule set's."""

    def __init__(self, rules: RuleSet, lateness: timedelta) -> None:
        self._past = Past(rules, lateness)
        self._raised: dict[str, Raised] = {}  # by alert id
        self.uncompared = 0

    def take(self, batch: list[Event], encoded: list[bytes]) -> None:
        for match in self._past.matcher.match(encoded):
            self._past.met(match, batch[match.event], encoded[match.event])
        self._note()

    def finished(self) -> list[Raised]:
        self._past.flush(datetime.now(UTC))
        self._note()
        return list(self._raised.values())

    def let_go(self) -> Counter[str]:
        names = ("groups_evicted", "entries_evicted", "episodes_evicted")
        told = self._past.counters()
        lost = Counter({name: told.get(name, 0) for name in names if told.get(name, 0)})
        if self.uncompared:
            lost["alerts_beyond_the_most"] = self.uncompared
        return lost

    def _note(self) -> None:
        for alert_id, episode in self._past.episodes.changes().changed.items():
            if episode.is_silent:
                continue
            if alert_id not in self._raised and len(self._raised) >= MOST_ALERTS:
                self.uncompared += 1
                continue
            self._raised[alert_id] = _raised(episode)
        self._past.begun.clear()
        self._past.forget()


def _raised(episode: Episode) -> Raised:
    return Raised(
        rule_id=episode.rule_id,
        key=episode.key,
        device=episode.device,
        group=episode.group,
        first_us=episode.first_us,
        last_us=episode.last_us,
        count=episode.count,
    )


def _count(effect: Effect, raised: Raised, place: int) -> None:
    effect.alerts[place] += 1
    effect.events[place] += raised.count
    effect.by_day[f"{moment(raised.first_us):%Y-%m-%d}"][place] += 1
    effect.by_device[raised.device or "(in no inventory)"][place] += 1


def _without_peer(ours: list[Raised], others: list[Raised], told: Mapping[str, Effect]) -> Iterator[Raised]:
    """Those of `ours` that no alert of the same rule and group overlaps in `others`."""
    spans: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for other in others:
        spans[other.rule_id, other.key].append((other.first_us, other.last_us))
    for one in ours:
        near = spans.get((one.rule_id, one.key), ())
        if one.rule_id in told and not any(low <= one.last_us and one.first_us <= high for low, high in near):
            yield one


def _sample(samples: list[dict[str, Any]], raised: Raised) -> None:
    if len(samples) < SAMPLES:
        samples.append(raised.said())
