"""`Alert`: what detection raises and an analyst works. It keeps a copy of its events."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from monitoring.event import Event


class Level(StrEnum):
    """Sigma levels, weakest first in `RANK`."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        return list(Level).index(self)


class Status(StrEnum):
    NEW = "new"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class Resolution(StrEnum):
    """Why an alert was closed."""

    TRUE_POSITIVE = "true-positive"
    BENIGN = "benign-true-positive"
    FALSE_POSITIVE = "false-positive"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldMatch:
    """One condition of the rule and the value that met it: why it matched."""

    selection: str  # name of the selection in the rule
    field: str
    value: str  # the event's value
    pattern: str  # what the rule asked for, as written


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Raised once. `id` is UUIDv5 of rule + event, or rule + group + start of the episode."""

    id: str
    rule_id: str
    title: str
    level: Level
    tags: tuple[str, ...]  # ATT&CK ids as in the rule: "attack.t1110"
    device: str  # name in the inventory, "" when the sender is in none
    site: str
    group: tuple[tuple[str, str], ...] = ()  # correlation: ("source.ip", "10.250.32.10")
    count: int  # events in it so far; grows while the episode lasts
    first_seen: datetime  # @timestamp of its first event
    last_seen: datetime
    raised_at: datetime  # when detection inserted it
    received_at: datetime  # when the event that raised it was received
    matches: tuple[FieldMatch, ...]
    events: tuple[Event, ...]  # at most 100 are kept; `count` is the truth

    @property
    def subjects(self) -> frozenset[str]:
        """Accounts it is about, lower case and without a domain: who acted, and on whom."""
        told = [str(value) for name, value in self.group if name in _SUBJECTS]
        told += [str(event.fields[name]) for event in self.events for name in _SUBJECTS if name in event.fields]
        return frozenset(re.split(r"[\\/]", name.partition("@")[0].lower())[-1] for name in told)


_SUBJECTS = ("user.name", "user.target.name", "user.effective.name", "user.audit.name")
