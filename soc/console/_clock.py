"""The deadline clock of a case, and what the queue sorts by. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from soc.alert import Status
from soc.cases import Case

NO_DEADLINE = 9_999_999_999  # sorts last, as seconds since 1970


class Pace(StrEnum):
    ON_TRACK = "ok"
    WARNING = "warn"  # under a quarter of the time is left
    OVERDUE = "over"
    PAUSED = "pause"
    NONE = "none"  # its level has no deadline
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """`at` is what the browser ticks towards; `used` how much of the time is gone, 0 to 100."""

    pace: Pace
    at: datetime | None = None
    used: int = 0
    warns_at: datetime | None = None


def clock_of(case: Case, now: datetime) -> Clock:
    """Where the case stands against its deadline."""
    if case.status is Status.CLOSED:
        return Clock(pace=Pace.DONE, at=case.closed_at)
    if case.status is Status.ACKNOWLEDGED and case.until is not None and case.until > now:
        return Clock(pace=Pace.PAUSED, at=case.until)
    if case.due_at is None or case.budget is None:
        return Clock(pace=Pace.NONE)
    left, warns_at = case.due_at - now, case.due_at - case.budget / 4
    used = min(100, max(0, round(100 * (1 - left / case.budget))))
    pace = Pace.OVERDUE if left.total_seconds() < 0 else Pace.WARNING if now >= warns_at else Pace.ON_TRACK
    return Clock(pace=pace, at=case.due_at, used=used, warns_at=warns_at)


def sort_key(case: Case) -> int:
    """Seconds since 1970 at which the case wants attention."""
    at = case.until or case.due_at
    return int(at.timestamp()) if at is not None else NO_DEADLINE
