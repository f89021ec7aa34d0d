"""How long events are kept, and the stream they are kept in because of it.

What is kept for different times must stand apart, so that what is due goes as a whole: each rule is a
stream of its own (a folder of segments, a series of daily indices), everything else is the stream `log`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from inventory.model import LogRetention, Policy
from monitoring.event import Event

THREE_MONTHS = timedelta(days=92)
DEFAULT_STREAM = "log"
JITTER = timedelta(hours=1)  # by which a clock that is set may jump and be believed


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRule:
    """Events of a data set, of a system, or both. `name` is the stream's: small letters, digits, hyphens, dots."""

    name: str
    keep: timedelta
    data_set: str = ""  # what `event.dataset` begins with; "" is any
    system: Mapping[str, frozenset[str]] = field(default_factory=dict)  # field -> values, all fields must fit

    def takes(self, event: Event) -> bool:
        if not event.text("event.dataset").startswith(self.data_set):
            return False
        return all(event.text(name) in values for name, values in self.system.items())


@dataclass(frozen=True, slots=True)
class Steady:
    """Our clock as far as it may delete: one set ahead by a year while we run would end every retention at once."""

    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    began_s: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        """The time, but not later than what has passed since we began allows."""
        passed = timedelta(seconds=time.monotonic() - self.began_s)
        return min(datetime.now(UTC), self.began + passed + JITTER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """The first rule that takes an event decides; `keep` is for what none takes."""

    keep: timedelta = THREE_MONTHS
    rules: tuple[RetentionRule, ...] = ()

    def stream_of(self, event: Event) -> str:
        for rule in self.rules:
            if rule.takes(event):
                return rule.name
        return DEFAULT_STREAM

    def of(self, stream: str) -> timedelta:
        """For how long a stream is kept; one no rule names any more like everything else."""
        return next((rule.keep for rule in self.rules if rule.name == stream), self.keep)

    @property
    def streams(self) -> tuple[str, ...]:
        return (DEFAULT_STREAM, *(rule.name for rule in self.rules))


def retention_of(policy: Policy) -> Retention:
    """What the inventory says."""
    return Retention(keep=policy.log_retention, rules=tuple(map(_rule_of, policy.log_retention_of)))


def _rule_of(entry: LogRetention) -> RetentionRule:
    asked = {"host.name": entry.devices, "canh.site": entry.sites, "canh.unit": entry.units, "canh.zone": entry.zones}
    system = {name: values for name, values in asked.items() if values}
    return RetentionRule(name=entry.name, keep=entry.keep, data_set=entry.data_set, system=system)
