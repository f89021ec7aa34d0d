"""Counting matches in windows: the groups of all correlations, the hot ones in memory, and what changed in them.

Sightings come in order of event time as far as waiting can give it (`soc.detection`). Each is put
into the window of its group; a window whose condition holds gives a `Firing`. A firing is a
sighting itself for correlations that build on it. Groups not used lately are on a shelf
(`soc.shelf`) and are read back when a match comes for them; without a shelf they are let go.
Pure but for that: time and identity come in as arguments.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from soc.sigma.correlation_document import MOST_ENTRIES
from soc.sigma.grouping import MOST_AT_ONCE, Feed, Group, feed_of, fields_needed, groups_of, values_of
from soc.sigma.rule import Correlation, Known
from soc.sigma.sighting import Firing, Judgement, Sighting
from soc.sigma.window import Entry, Window

__all__ = ["Changes", "Copied", "Correlator", "Firing", "Shelf", "Sighting", "Stored"]

MOST_GROUPS = 50_000  # in memory
MOST_ENTRIES_IN_MEMORY = 500_000
MOST_CHANGED = 20_000  # groups; then it is time to write them down
IDLE_US = 60_000_000  # a group nobody touched for its timespan and this long is let go
LAST = "\U0010ffff"

Where = tuple[str, str]  # id of the correlation, key of the group


class Copied(NamedTuple):
    """An alert keeps the event behind an entry, or the events of the alert an entry stands for."""

    alert_id: str
    entry: Entry


class Stored(NamedTuple):
    """A group as it was on the shelf."""

    number: int
    touched_us: int
    entries: list[Entry]  # in the order in which they came
    fresh: list[Entry]  # the last of them, which stand in no chunk yet
    sealed: tuple[tuple[int, int], ...]  # chunks: sequence number, newest event time


class Shelf(Protocol):
    """Where groups are when they are not in memory."""

    def recall(self, correlation: Correlation, key: str) -> Stored | None: ...


@dataclass(slots=True)
class Changes:
    """What to write down since the last time. limits: groups last touched before are gone, by correlation.

    latest_us: groups last touched after it are gone before anything is written; None: none are.
    """

    windows: Mapping[Where, Window] = field(default_factory=dict)
    copied: list[Copied] = field(default_factory=list)
    limits: Mapping[str, int] = field(default_factory=dict)
    latest_us: int | None = None


class Correlator:
    """All groups of all correlations. `identify` names the episode of a firing."""

    def __init__(
        self,
        correlations: Iterable[Correlation],
        identify: Callable[[Firing], str],
        *,
        most_groups: int = MOST_GROUPS,
        most_entries: int = MOST_ENTRIES,
        most_entries_in_memory: int = MOST_ENTRIES_IN_MEMORY,
    ) -> None:
        self.shelf: Shelf | None = None
        self.counts: Counter[str] = Counter()
        self.entries = 0  # in memory
        self._identify = identify
        self._most_groups, self._most_entries, self._most_in_memory = most_groups, most_entries, most_entries_in_memory
        self._correlations: dict[str, Correlation] = {}
        self._windows: OrderedDict[Where, Window] = OrderedDict()  # by when they were last used
        self._changed: dict[Where, Window] = {}
        self._copied: list[Copied] = []
        self._later: list[Sighting] = []
        self._limits: dict[str, int] = {}
        self._latest_us: int | None = None  # the clock was put back to it, and the shelf does not know yet
        self.replace(correlations)

    def replace(self, correlations: Iterable[Correlation]) -> None:
        """Count for these from now on. Windows of those that did not change go on, the others' are let go."""
        before, self._correlations = self._correlations, {c.id: c for c in correlations}
        kept = {c.id for c in self._correlations.values() if c.id in before and before[c.id].state == c.state}
        for where in [where for where in self._windows if where[0] not in kept]:
            self._forget(where)
        for window_where, window in self._windows.items():
            window.correlation = self._correlations[window_where[0]]
        self._limits = {id_: limit for id_, limit in self._limits.items() if id_ in kept}
        self._fed_by: dict[str, list[Feed]] = {}
        for correlation in self._correlations.values():
            for rule in correlation.rules:
                self._fed_by.setdefault(rule, []).append(feed_of(correlation, rule))
        self._fields = fields_needed(self._correlations.values())

    def feeds(self, rule: str) -> bool:
        """Whether any correlation looks at matches of `rule`."""
        return rule in self._fed_by

    def fields_of(self, rule: str) -> frozenset[str]:
        """The fields of its matches that correlations look at, those that build on others too."""
        return self._fields.get(rule, frozenset())

    def reach_us(self, rule: str) -> int:
        """How long a match of `rule` may be in a window."""
        spans = (feed.correlation.timespan.total_seconds() * 2_000_000 for feed in self._fed_by.get(rule, ()))
        return round(max(spans, default=0))

    def take(self, sighting: Sighting) -> list[Firing]:
        """Count one, or judge one; returns what fires, in the order of building on each other."""
        if sighting.judgement is not None:
            return self._passed_on(self._judged(sighting, sighting.judgement))
        return self._passed_on(self._counted(sighting))

    def later(self) -> list[Sighting]:
        """What has to be taken again, when its moment comes, because of what was taken since the last call."""
        later, self._later = self._later, []
        return later

    def expire(self, clock_us: int) -> None:
        """Let go of groups that were idle so long that nothing in them can count any more."""
        for correlation in self._correlations.values():
            reach_us = round(correlation.timespan.total_seconds() * 1_000_000) * (2 if correlation.waits else 1)
            self._limits[correlation.id] = max(0, clock_us - reach_us - IDLE_US)
        limits = self._limits
        for where in [where for where, window in self._windows.items() if window.touched_us < limits[where[0]]]:
            self._forget(where)

    def put_back(self, clock_us: int) -> None:
        """Our clock was ahead and says this now: let go of groups that were touched later, and go by this time."""
        self._latest_us = clock_us
        for where in [where for where, window in self._windows.items() if window.touched_us > clock_us]:
            self._forget(where)
        self.expire(clock_us)

    def written(self, let_go: frozenset[int]) -> None:
        """What `changes` gave is on the shelf. let_go: the numbers of groups the shelf has no room for."""
        if let_go:
            for where in [where for where, window in self._windows.items() if window.number in let_go]:
                self._forget(where)
        self._make_room()

    def keep(self, alert_id: str, entries: Iterable[Entry]) -> None:
        """Let an alert have the events behind these entries."""
        if self.shelf is not None:
            self._copied += (Copied(alert_id, entry) for entry in entries)

    def changes(self) -> Changes:
        """What changed since the last call, for the shelf. Windows go on changing: write them at once."""
        changes = Changes(self._changed, self._copied, self._limits, self._latest_us)
        self._changed, self._copied, self._latest_us = {}, [], None
        return changes

    @property
    def groups(self) -> int:
        """In memory."""
        return len(self._windows)

    @property
    def is_heavy(self) -> bool:
        """So much changed that it should be written down now; until then it cannot leave memory."""
        return len(self._changed) >= MOST_CHANGED

    # ---- counting

    def _passed_on(self, fired: Iterable[Firing]) -> list[Firing]:
        firings = list(fired)
        for firing in firings:  # grows
            episode = self._identify(firing)
            if firing.correlation.id in self._fed_by:
                firings += self._counted(self._sighting_of(firing, episode))
        return firings

    def _counted(self, seen: Sighting) -> list[Firing]:
        firings = []
        chained = seen.rule in self._correlations
        known: dict[tuple[str, ...], list[Group]] = {}  # many correlations group by the same fields
        for feed in self._fed_by.get(seen.rule, ()):
            values = values_of(feed, seen.fields) if feed.value_fields else ()
            if values is None:
                self.counts["without_value"] += 1
                continue
            if len(values) > MOST_AT_ONCE:
                values = values[:MOST_AT_ONCE]
                self.counts["values_cut"] += 1
            groups = known.get(feed.group_fields)
            if groups is None:
                groups = known[feed.group_fields] = groups_of(feed.group_fields, seen.fields)
            if not groups:
                self.counts["without_group"] += 1
            if len(groups) > MOST_AT_ONCE:
                self.counts["values_cut"] += 1
            entry = Entry(seen.at_us, seen.id, seen.rule, values, seen.number)
            for group in groups[:MOST_AT_ONCE]:
                firing = self._put(feed.correlation, group, entry, seen, chained=chained)
                if firing is not None:
                    firings.append(firing)
        return firings

    def _put(
        self, correlation: Correlation, group: Group, entry: Entry, seen: Sighting, *, chained: bool
    ) -> Firing | None:
        key, values = group
        where = (correlation.id, key)
        window = self._windows.get(where)
        if window is None or window.touched_us < self._limits.get(correlation.id, 0):
            window = self._window(correlation, key)
        before = len(window.entries)
        evicted = window.replace(entry) if chained else window.add(entry)
        self.entries += len(window.entries) - before
        if evicted is None:
            self.counts["late_beyond_window"] += 1
            return None
        if evicted:
            self.counts["entries_evicted"] += evicted
        if seen.received_us > window.touched_us:
            window.touched_us = seen.received_us
        self._windows.move_to_end(where)
        if self.shelf is not None:
            self._changed[where] = window
        else:
            window.fresh.clear()  # nobody writes it down
        if not correlation.terms:
            return _firing(window, key, _named(correlation, values), seen) if window.holds() else None
        for known, wait_us in window.awaits(entry):
            judgement = Judgement(correlation.id, key, _named(correlation, values), entry, known)
            self._later.append(_at_a_later_moment(judgement, wait_us, seen))
        if not window.meets(entry, Known.AT_ONCE):
            return None
        return _firing_at(window, key, _named(correlation, values), entry, seen)

    def _judged(self, sighting: Sighting, judgement: Judgement) -> list[Firing]:
        correlation = self._correlations.get(judgement.correlation_id)
        window = self._found(correlation, judgement.key) if correlation is not None else None
        entry = judgement.entry
        if window is None or not window.meets(entry, judgement.known):
            return []
        last = replace(sighting, at_us=entry.at_us, id=entry.id, rule=entry.rule, judgement=None)
        return [replace(_firing_at(window, judgement.key, judgement.group, entry, last), at_us=sighting.at_us)]

    def _sighting_of(self, firing: Firing, episode: str) -> Sighting:
        """A firing as those see it that build on it: its group, and else the fields of the match that made it hold."""
        needed, last = self.fields_of(firing.correlation.id), firing.last
        return Sighting(
            at_us=firing.at_us,
            id=episode,
            rule=firing.correlation.id,
            received_us=last.received_us,
            fields={name: value for name, value in last.fields.items() if name in needed}
            | {name: value for name, value in firing.group if value},
            device=last.device,
            site=last.site,
        )

    # ---- windows

    def _window(self, correlation: Correlation, key: str) -> Window:
        window = self._found(correlation, key)
        if window is None:
            window = self._windows[correlation.id, key] = Window(correlation, self._most_entries)
            self._make_room()
        return window

    def _found(self, correlation: Correlation, key: str) -> Window | None:
        where = (correlation.id, key)
        window = self._windows.get(where)
        if window is None:
            stored = self.shelf.recall(correlation, key) if self.shelf is not None else None
            if stored is None or (self._latest_us is not None and stored.touched_us > self._latest_us):
                return None
            self.counts["groups_recalled"] += 1
            window = self._windows[where] = self._brought(correlation, stored)
            self.entries += len(window.entries)
            self._make_room()
        if window.touched_us >= self._limits.get(correlation.id, 0):
            return window
        self._forget(where)  # its row goes by itself
        return None

    def _brought(self, correlation: Correlation, stored: Stored) -> Window:
        entries = stored.entries
        if any(rule in self._correlations for rule in correlation.rules):
            latest = {(entry.id, entry.rule): entry for entry in entries if entry.rule in self._correlations}
            entries = [e for e in entries if latest.get((e.id, e.rule), e) == e]
        window = Window(correlation, self._most_entries, sorted(set(entries)), stored.touched_us)
        window.number, window.fresh, window.sealed = stored.number, stored.fresh, stored.sealed
        return window

    def _make_room(self) -> None:
        """Let the least used leave memory; what is not written down yet has to stay."""
        while len(self._windows) > self._most_groups or (
            self.entries > self._most_in_memory and len(self._windows) > 1
        ):
            where = next(iter(self._windows))
            if where in self._changed:
                return
            self._forget(where)
            self.counts["groups_evicted" if self.shelf is None else "groups_spilled"] += 1

    def _forget(self, where: Where) -> None:
        self.entries -= len(self._windows.pop(where).entries)
        self._changed.pop(where, None)


def _named(correlation: Correlation, values: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple(zip(correlation.group_by, values, strict=True))


def _firing(window: Window, key: str, group: tuple[tuple[str, str], ...], last: Sighting) -> Firing:
    """The whole window holds."""
    return Firing(
        correlation=window.correlation,
        key=key,
        group=group,
        entries=window.entries,
        low=0,
        high=len(window.entries),
        rules=window.rules,
        last=last,
        at_us=last.at_us,
        value=window.value(),
    )


def _firing_at(window: Window, key: str, group: tuple[tuple[str, str], ...], entry: Entry, last: Sighting) -> Firing:
    """The timespan that ends with an entry holds. What has its moment and comes after it is told with itself."""
    return Firing(
        correlation=window.correlation,
        key=key,
        group=group,
        entries=window.entries,
        low=bisect_left(window.entries, (entry.at_us - window.span_us,)),
        high=bisect_right(window.entries, entry),
        rules=window.rules,
        last=last,
        at_us=last.at_us,
        value=window.value(),
    )


def _at_a_later_moment(judgement: Judgement, wait_us: int, seen: Sighting) -> Sighting:
    return Sighting(
        at_us=seen.at_us + wait_us,
        id=f"{LAST}{judgement.entry.id} {judgement.known} {judgement.key}",
        rule=judgement.correlation_id,
        received_us=seen.received_us + wait_us,
        fields=seen.fields,
        device=seen.device,
        site=seen.site,
        judgement=judgement,
    )
