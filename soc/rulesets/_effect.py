"""What a replay tells of each rule: alerts before and after a change, what that silences, what it adds.

An alert counts as silenced when no alert of the same rule and group overlaps it afterwards: the first event of an
alert gives its id, so one that lost that event has another id and is still there.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from soc.episodes import moment
from soc.scheduled.past import Sight
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
    raised_us: int | None = None  # when, where that is long after its events

    @property
    def day(self) -> str:
        """On which it is counted."""
        return f"{moment(self.first_us if self.raised_us is None else self.raised_us):%Y-%m-%d}"

    @property
    def until_us(self) -> int:
        return max(self.last_us, self.raised_us or 0)

    def said(self) -> dict[str, Any]:
        raised = {} if self.raised_us is None else {"raised": moment(self.raised_us).isoformat(timespec="seconds")}
        return {
            **raised,
            "first": moment(self.first_us).isoformat(timespec="seconds"),
            "last": moment(self.last_us).isoformat(timespec="seconds"),
            "device": self.device,
            "group": dict(self.group),
            "events": self.count,
        }


@dataclass(slots=True)
class Asked:
    """How often a scheduled rule was due, and what could be said: by day, looks of each sight."""

    begin: datetime | None = None  # of its own stored events, as far back as it looks
    by_day: dict[str, Counter[Sight]] = field(default_factory=lambda: defaultdict(Counter))
    left_out: int = 0  # counts and alerts for which there was no room

    @property
    def is_whole(self) -> bool:
        """Whether everything is known that the rule wants to know."""
        return all(set(looks) <= {Sight.JUDGED} for looks in self.by_day.values())

    def said(self) -> dict[str, Any]:
        return {
            "events_since": None if self.begin is None else self.begin.isoformat(timespec="seconds"),
            "left_out": self.left_out,
            "looks_by_day": {day: dict(sorted(looks.items())) for day, looks in sorted(self.by_day.items())},
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
    asked: Asked | None = None  # of a scheduled rule: what its looks could say

    def said(self) -> dict[str, Any]:
        asked = {} if self.asked is None else {"asked": self.asked.said()}
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
            **asked,
        }


def compared(told: Iterable[AnyRule], sides: Sequence[Sequence[Raised]]) -> tuple[Effect, ...]:
    """The effect of each rule that is told of. sides: what is raised before and after, or as it is."""
    before, after = sides[0], sides[-1]
    effects = {rule.id: Effect(rule=rule) for rule in told}
    for place, side in enumerate((before, after)):
        for raised in side:
            if effect := effects.get(raised.rule_id):
                _count(effect, raised, place)
    if len(sides) == 1:
        for one in before:
            if effect := effects.get(one.rule_id):
                _sample(effect.added_samples, one)
        return tuple(effects.values())
    for lost in _without_peer(before, after, effects):
        effects[lost.rule_id].silenced += 1
        _sample(effects[lost.rule_id].silenced_samples, lost)
    for new in _without_peer(after, before, effects):
        effects[new.rule_id].added += 1
        _sample(effects[new.rule_id].added_samples, new)
    return tuple(effects.values())


def _count(effect: Effect, raised: Raised, place: int) -> None:
    effect.alerts[place] += 1
    effect.events[place] += raised.count
    effect.by_day[raised.day][place] += 1
    effect.by_device[raised.device or "(in no inventory)"][place] += 1


def _without_peer(ours: Iterable[Raised], others: Iterable[Raised], told: Mapping[str, Effect]) -> Iterator[Raised]:
    """Those of `ours` that no alert of the same rule and group overlaps in `others`."""
    spans: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for other in others:
        spans[other.rule_id, other.key].append((other.first_us, other.until_us))
    for one in ours:
        near = spans.get((one.rule_id, one.key), ())
        if one.rule_id in told and not any(low <= one.until_us and one.first_us <= high for low, high in near):
            yield one


def _sample(samples: list[dict[str, Any]], raised: Raised) -> None:
    if len(samples) < SAMPLES:
        samples.append(raised.said())
