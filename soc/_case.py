"""`Case`: an alert with the work done on it, and the pure rules of that work (deadlines, reasons)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from soc.alert import Alert, Level, Resolution, Status
from soc.errors import CaseError

MIN_REASON = 10  # characters; shorter says nothing to an auditor
MAX_REASON = 4000
MAX_PAUSE = timedelta(days=7)
SYSTEM = "canh"  # the actor of what the platform does by itself

# Time to deal with an alert of each level; None has no deadline.
DEADLINES: Mapping[Level, timedelta | None] = MappingProxyType(
    {
        Level.CRITICAL: timedelta(minutes=15),
        Level.HIGH: timedelta(hours=2),
        Level.MEDIUM: timedelta(hours=24),
        Level.LOW: timedelta(hours=72),
        Level.INFORMATIONAL: None,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An alert as it stands in the queue."""

    alert: Alert  # `events` is empty unless the case came from `CaseStore.get`
    status: Status
    assignee: str = ""
    due_at: datetime | None = None
    until: datetime | None = None  # end of the acknowledgement; None when not acknowledged
    resolution: Resolution | None = None
    closed_at: datetime | None = None
    recurrences: int = 0  # events since a person last acted on it
    version: int = 0  # what an action names to be refused when somebody else came first
    seq: int = 0
    created_seq: int = 0
    change_id: str = ""  # the change of ours that explains it, or explained it
    held_until: datetime | None = None  # nobody is told before, unless it is released; None: not held

    @property
    def id(self) -> str:
        return self.alert.id

    @property
    def budget(self) -> timedelta | None:
        """Time allowed for its level."""
        return DEADLINES[self.alert.level]

    @property
    def is_open(self) -> bool:
        return self.status is not Status.CLOSED


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """Who did what to an alert, when and why. Only ever appended."""

    at: datetime
    actor: str
    action: str  # raised, refired, held, released, recovered, acknowledged, returned, assigned, noted, closed
    reason: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


def deadline_of(alert: Alert) -> datetime | None:
    """When the alert must be dealt with, counted from when it was raised."""
    allowed = DEADLINES[alert.level]
    return None if allowed is None else alert.raised_at + allowed


def checked_reason(reason: str) -> str:
    """The reason without surrounding blanks. Raises CaseError when it is too short or long."""
    text = reason.strip()
    if len(text) < MIN_REASON:
        raise CaseError(
            f"the reason has {len(text)} characters, at least {MIN_REASON} are needed",
            code="short-reason",
            fix="say what you saw and why you decide so; an auditor will read it",
        )
    if len(text) > MAX_REASON:
        raise CaseError(f"the reason is longer than {MAX_REASON} characters", code="long-reason", fix="shorten it")
    return text


def checked_until(until: datetime, at: datetime) -> datetime:
    """The end of an acknowledgement. Raises CaseError when it is past or too far away."""
    if not at < until <= at + MAX_PAUSE:
        raise CaseError(
            f"an acknowledgement cannot last until {until:%Y-%m-%d %H:%M} UTC",
            code="bad-until",
            fix=f"choose a time after now and within {MAX_PAUSE.days} days",
        )
    return until
