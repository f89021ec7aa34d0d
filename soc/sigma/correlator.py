"""Counting matches in windows: the state of all correlations, bounded, and what changed in it.

Sightings come in order of event time as far as waiting can give it (`soc.detection`). Each is put
into the window of its group; a window whose condition holds gives a `Firing`. A firing is a
sighting itself for correlations that build on it. Pure: time and identity come in as arguments.
"""

from __future__ import annotations

import json
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from monitoring.event import Value
from soc.sigma.rule import Correlation
from soc.sigma.window import Entry, Window

MOST_GROUPS = 20_000  # a correlation
MOST_ENTRIES = 10_000  # a group
IDLE_US = 60_000_000  # a group nobody touched for its timespan and this long is let go


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A match on its way into windows."""

    at_us: int  # @timestamp
    id: str  # of the event; of the episode when a correlation fired
    rule: str
    received_us: int
    fields: Mapping[str, Value]
    device: str = ""
    site: str = ""
    event: bytes = b""  # its JSON; empty when a correlation fired


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A correlation's condition holds in a group."""

    correlation: Correlation
    key: str
    group: tuple[tuple[str, str], ...]
    entries: Sequence[Entry]  # the window, oldest first; do not keep
    last: Sighting  # what made it hold
    value: float


class Added(NamedTuple):
    """An entry came into a group's window."""

    correlation_id: str
    key: str
    entry: Entry
    event: bytes


class Replaced(NamedTuple):
    """The entries of this id left the window."""

    correlation_id: str
    key: str
    id: str


class Gone(NamedTuple):
    """The whole group was let go."""

    correlation_id: str
    key: str


class Copied(NamedTuple):
    """An alert keeps the event behind an entry, which may be gone a moment later."""

    alert_id: str
    correlation_id: str
    key: str
    entry: Entry


@dataclass(slots=True)
class Changes:
    """What to write down since the last time: what happened, in order, then where windows now begin."""

    log: list[Added | Replaced | Gone | Copied] = field(default_factory=list)
    touched: dict[tuple[str, str], tuple[int, tuple[int, str]]] = field(default_factory=dict)  # received, first entry


class Correlator:
    """All groups of all correlations. `identify` names the episode of a firing."""

    def __init__(
        self,
        correlations: Iterable[Correlation],
        identify: Callable[[Firing], str],
        *,
        most_groups: int = MOST_GROUPS,
        most_entries: int = MOST_ENTRIES,
    ) -> None:
        self._identify = identify
        self._most_groups, self._most_entries = most_groups, most_entries
        self._correlations: dict[str, Correlation] = {}
        self._fed_by: dict[str, list[Correlation]] = {}
        # By when they were last touched, so that the idle ones stand first.
        self._groups: dict[str, OrderedDict[str, Window]] = {}
        self._changes = Changes()
        self.counts: Counter[str] = Counter()
        self.replace(correlations)

    def replace(self, correlations: Iterable[Correlation]) -> None:
        """Count for these from now on. Windows of those that did not change go on, the others' are let go."""
        before, self._correlations = self._correlations, {c.id: c for c in correlations}
        kept = {c.id for c in self._correlations.values() if c.id in before and before[c.id].state == c.state}
        for id_ in before.keys() - kept:
            for key in self._groups[id_]:
                self._forget(id_, key)
        self._groups = {id_: self._groups[id_] if id_ in kept else OrderedDict() for id_ in self._correlations}
        self._fed_by = {}
        for correlation in self._correlations.values():
            for rule in dict.fromkeys(correlation.rules):
                self._fed_by.setdefault(rule, []).append(correlation)

    def feeds(self, rule: str) -> bool:
        """Whether any correlation looks at matches of `rule`."""
        return rule in self._fed_by

    def take(self, sighting: Sighting) -> list[Firing]:
        """Count one; returns what fires, in the order of building on each other."""
        firings: list[Firing] = []
        queue = [sighting]
        for seen in queue:
            for correlation in self._fed_by.get(seen.rule, ()):
                firing = self._count(correlation, seen)
                if firing is not None:
                    firings.append(firing)
                    queue.append(_sighting_of(firing, self._identify(firing)))
        return firings

    def expire(self, clock_us: int) -> None:
        """Let go of groups that were idle so long that nothing in them can count any more."""
        for correlation in self._correlations.values():
            groups = self._groups[correlation.id]
            limit = clock_us - round(correlation.timespan.total_seconds() * 1_000_000) - IDLE_US
            while groups and next(iter(groups.values())).touched_us < limit:
                self._forget(correlation.id, groups.popitem(last=False)[0])

    def keep(self, alert_id: str, firing: Firing, entries: Iterable[Entry]) -> None:
        """Let an alert have the events behind these entries of a firing's window."""
        self._changes.log += (Copied(alert_id, firing.correlation.id, firing.key, entry) for entry in entries)

    def changes(self) -> Changes:
        """What changed since the last call."""
        changes, self._changes = self._changes, Changes()
        return changes

    def restore(self, correlation_id: str, key: str, touched_us: int, entries: Iterable[Entry]) -> None:
        """Put a group back; in the order they were last touched. Of an unknown correlation: nothing."""
        if correlation_id in self._groups:
            window = Window(self._correlations[correlation_id], self._most_entries, entries, touched_us)
            self._groups[correlation_id][key] = window

    @property
    def groups(self) -> int:
        return sum(len(groups) for groups in self._groups.values())

    @property
    def entries(self) -> int:
        return sum(len(window.entries) for groups in self._groups.values() for window in groups.values())

    def _count(self, correlation: Correlation, seen: Sighting) -> Firing | None:
        group = tuple(
            (name, _text(seen.fields.get(correlation.group_field(name, seen.rule)))) for name in correlation.group_by
        )
        key = json.dumps([value for _, value in group], ensure_ascii=False, separators=(",", ":"))
        window = self._window(correlation, key)
        value = _text(seen.fields.get(correlation.field)) if correlation.field else ""
        entry = Entry(seen.at_us, seen.id, seen.rule, value)
        chained = seen.rule in self._correlations
        if chained:
            self._changes.log.append(Replaced(correlation.id, key, seen.id))
        evicted = window.replace(entry) if chained else window.add(entry)
        if evicted is None:
            self.counts["late_beyond_window"] += 1
            return None
        self.counts["entries_evicted"] += evicted
        window.touched_us = max(window.touched_us, seen.received_us)
        self._groups[correlation.id].move_to_end(key)
        self._changes.log.append(Added(correlation.id, key, entry, seen.event))
        self._changes.touched[correlation.id, key] = (window.touched_us, window.entries[0][:2])
        if not window.holds():
            return None
        return Firing(
            correlation=correlation,
            key=key,
            group=group,
            entries=window.entries,
            last=seen,
            value=window.aggregate.value() or 0.0,
        )

    def _window(self, correlation: Correlation, key: str) -> Window:
        groups = self._groups[correlation.id]
        window = groups.get(key)
        if window is None:
            if len(groups) >= self._most_groups:
                self._forget(correlation.id, groups.popitem(last=False)[0])
                self.counts["groups_evicted"] += 1
            window = groups[key] = Window(correlation, self._most_entries)
        return window

    def _forget(self, correlation_id: str, key: str) -> None:
        self._changes.log.append(Gone(correlation_id, key))
        self._changes.touched.pop((correlation_id, key), None)


def _sighting_of(firing: Firing, episode: str) -> Sighting:
    """A firing as those see it that build on it: its group is its fields."""
    return Sighting(
        at_us=firing.last.at_us,
        id=episode,
        rule=firing.correlation.id,
        received_us=firing.last.received_us,
        fields=dict(firing.group),
        device=firing.last.device,
        site=firing.last.site,
    )


def _text(value: Value | None) -> str:
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
