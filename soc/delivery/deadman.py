"""Does detection live? Judged from what it says of itself each second (`stats/detect.json`)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """What detection last said. at: when; behind: octets it has to take; events: taken since ever."""

    at: datetime
    behind: int
    events: int


def pulse_of(data_dir: Path) -> Pulse | None:
    """None when detection never said anything that can be read."""
    try:
        said = json.loads((data_dir / "stats" / "detect.json").read_text("utf-8"))
        return Pulse(
            at=datetime.fromisoformat(said["at"]),
            behind=int(said["octets_behind"]),
            events=int(said["events"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


class Watchman:
    """Remembers when detection last moved. `since` of `look` is when it stood still, None while it lives."""

    def __init__(self, began: datetime, after: timedelta) -> None:
        """began: before that nothing was expected of it."""
        self._moved, self._after = began, after
        self._events = -1

    def look(self, pulse: Pulse | None, now: datetime) -> datetime | None:
        """Since when detection stands still: it says nothing, or takes nothing of what waits."""
        self._moved = min(self._moved, now)  # the clock may have been put back: then it counts from here
        is_fresh = pulse is not None and abs(now - pulse.at) < self._after
        if pulse is not None and is_fresh and (pulse.events != self._events or not pulse.behind):
            self._events = pulse.events
            self._moved = max(self._moved, min(pulse.at, now))
        return self._moved if now - self._moved >= self._after else None


def parsed(noted: str) -> datetime | None:
    """A moment that was written down, None for none."""
    try:
        return datetime.fromisoformat(noted).astimezone(UTC) if noted else None
    except ValueError:
        return None
