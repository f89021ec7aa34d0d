"""Who has fallen silent: of each device of the inventory, whether it still sends logs, and one word when that changes.

How long a source may be silent is declared for its role (`policy.silent_after`), or learned: twice the
longest pause that was seen on two of the last eight days, so that a quiet night is usual after two of them and
one outage is not. Our own pauses count against nobody. Pure: moments in, announcements out; the worker
that empties the spools feeds it and keeps its state.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from inventory.model import Province

DAY_S = 86400
DAYS = 8  # what is usual on one day of the week
SHORTEST_S = 300.0  # nobody is called silent sooner, unless it is declared
LONGEST_S = 3.0 * DAY_S
UNKNOWN_S = 3600.0  # as long as a source has been known for less than a day
NEVER_S = 1.0 * DAY_S  # for a device that never sent anything, since the watch began
OUR_PAUSE_S = 60.0  # longer between two looks: we were away
SET_BACK_S = 3600.0  # our clock was set back; by less it may be a spool that is read late


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A source fell silent, or came back. Moments are seconds since 1970 UTC."""

    device: str
    is_silent: bool
    last_s: float | None  # when it was heard last (before the silence); None: never
    limit_s: float  # how long it may be silent
    at_s: float


@dataclass(slots=True)
class _Source:
    first_s: float
    last_s: float
    pauses: dict[int, float]  # by day since 1970: the longest pause that ended on it


class Heartbeat:
    """All sources of a province. `silent` says since when (seconds) each silent one is."""

    def __init__(
        self,
        declared: Mapping[str, float | None],
        *,
        learned: Mapping[str, Any],
        silent: Mapping[str, float],
        now_s: float,
    ) -> None:
        """declared: every device, with how many seconds it may be silent where that is declared.

        learned: as `learned` gave it before, or empty; silent: as it was.
        """
        self._declared = dict(declared)
        self._sources = {d: s for d, doc in _mapping(learned, "sources").items() if (s := _source(doc)) is not None}
        self._began_s = float(learned.get("began_s", now_s))
        self._back_s = now_s  # since when we listen without a pause
        self._looked_s = float(learned.get("looked_s", now_s))
        self.silent = {d: float(s) for d, s in silent.items() if d in self._declared}
        self._returned: list[Announcement] = []

    def saw(self, device: str, at_s: float) -> None:
        """A message of `device` was received at `at_s`."""
        source = self._sources.get(device)
        if source is None:
            if device not in self._declared:
                return
            source = self._sources[device] = _Source(at_s, at_s, {})
        if device in self.silent:
            del self.silent[device]
            known = source.last_s if source.last_s != at_s else None
            limit_s = self.limit_s(device)
            self._returned.append(
                Announcement(device=device, is_silent=False, last_s=known, limit_s=limit_s, at_s=at_s)
            )
        pause = at_s - source.last_s
        if pause <= 0:
            return
        if source.last_s >= self._back_s:  # else part of the pause may have been ours
            day = int(at_s // DAY_S)
            if pause > source.pauses.get(day, 0.0):
                source.pauses[day] = pause
        source.last_s = at_s

    def limit_s(self, device: str) -> float:
        """How long a source may be silent."""
        declared = self._declared.get(device)
        if declared is not None:
            return declared
        source = self._sources.get(device)
        if source is None:
            return NEVER_S
        today = int(source.last_s // DAY_S)
        pauses = sorted((p for day, p in source.pauses.items() if day > today - DAYS), reverse=True)
        if source.last_s - source.first_s < DAY_S:
            return min(LONGEST_S, max(UNKNOWN_S, 2 * pauses[0] if pauses else 0.0))
        usual = pauses[1] if len(pauses) > 1 else pauses[0] if pauses else 0.0
        return min(LONGEST_S, max(SHORTEST_S, 2 * usual))

    def look(self, now_s: float) -> list[Announcement]:
        """What changed up to `now_s`: each silence and each return once."""
        if now_s < self._looked_s - SET_BACK_S:
            self._begin_anew(now_s)
        if now_s - self._looked_s > OUR_PAUSE_S:
            self._back_s = now_s
        self._looked_s = max(now_s, self._looked_s)
        told, self._returned = self._returned, []
        for device in self._declared:
            if device in self.silent:
                continue
            source = self._sources.get(device)
            last_s = None if source is None else source.last_s
            since = max(self._began_s if last_s is None else last_s, self._back_s)
            limit_s = self.limit_s(device)
            if now_s - since > limit_s:
                self.silent[device] = now_s
                told.append(Announcement(device=device, is_silent=True, last_s=last_s, limit_s=limit_s, at_s=now_s))
        return told

    def _begin_anew(self, now_s: float) -> None:
        """What was heard in a future that was none is as if it had been now: else nobody is silent until it comes."""
        today = int(now_s // DAY_S)
        self._looked_s = self._back_s = now_s
        self._began_s = min(self._began_s, now_s)
        for source in self._sources.values():
            source.first_s, source.last_s = min(source.first_s, now_s), min(source.last_s, now_s)
            source.pauses = {day: pause for day, pause in source.pauses.items() if day <= today}

    def learned(self) -> dict[str, Any]:
        """For the next start; whole seconds are enough."""
        return {
            "began_s": self._began_s,
            "looked_s": self._looked_s,
            "sources": {d: [s.first_s, s.last_s, dict(_recent(s))] for d, s in self._sources.items()},
        }


def declared_of(province: Province) -> dict[str, float | None]:
    """Every device and how long the inventory lets it be silent; None where that is learned."""
    spans = province.policy.silent_after
    return {d.name: spans[d.role].total_seconds() if d.role in spans else None for d in province.devices.values()}


def _recent(source: _Source) -> Iterator[tuple[str, float]]:
    newest = max(source.pauses, default=0)
    return ((str(day), round(p, 1)) for day, p in source.pauses.items() if day > newest - DAYS)


def _source(document: Any) -> _Source | None:
    """As `learned` wrote it; None when it is damaged."""
    try:
        first_s, last_s, pauses = document
        return _Source(float(first_s), float(last_s), {int(d): float(p) for d, p in dict(pauses).items()})
    except (TypeError, ValueError):
        return None


def _mapping(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name)
    return value if isinstance(value, Mapping) else {}
