"""What rules would have raised over stored days, and what a change to them would have silenced or added.

Both rule sets see the same events through the same detection as the stream.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice

from monitoring.event import Event
from soc.episodes import Episode
from soc.rulesets._effect import MOST_ALERTS, Effect, Raised, compared
from soc.rulesets._plan import Plan
from soc.sigma.hunt import BATCH, Past
from soc.sigma.loader import RuleSet
from soc.sigma.matcher import encode


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
        return compared(self._plan.told, [side.finished() for side in self._sides])


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
