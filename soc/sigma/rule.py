"""Rules as detection uses them: what a Sigma document says besides its conditions.

The conditions of a `Rule` live compiled in `matcher`; a `Correlation` is counted by `correlator`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from soc.alert import Level

# Repeats of one alert closer together than this are one episode; and an episode ends after LONGEST,
# so that what never stops still comes back to the queue. docs/decisions/0004-episodes.md
EPISODE_GAP = timedelta(minutes=5)
EPISODE_LONGEST = timedelta(hours=1)
GROUP_BY = ("source.ip", "user.name")  # beside the device


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a rule stands."""

    path: Path
    line: int = 1

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSource:
    """Parts that are not said are empty."""

    product: str = ""
    category: str = ""
    service: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyRule:
    """What detection and correlation rules have in common."""

    id: str
    name: str  # Sigma's `name`, another way to refer to it; often empty
    title: str
    title_vi: str = ""
    level: Level
    tags: tuple[str, ...] = ()
    origin: Origin
    digest: str  # of its text with placeholders filled in: state of a rule that changed is dropped
    alerts: bool = True  # False: only feeds correlations

    @property
    def state(self) -> str:
        """What state kept for this rule depends on; another text drops it."""
        return self.digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(AnyRule):
    """A detection rule, compiled elsewhere under `number`."""

    number: int  # in the compiled rule set
    logsource: LogSource
    group_by: tuple[str, ...] = GROUP_BY  # repeats with equal values of these, on one device, are one alert
    gap: timedelta = EPISODE_GAP


class Kind(StrEnum):
    """The correlation types of Sigma 2.1."""

    EVENT_COUNT = "event_count"
    VALUE_COUNT = "value_count"
    TEMPORAL = "temporal"
    TEMPORAL_ORDERED = "temporal_ordered"
    VALUE_SUM = "value_sum"
    VALUE_AVG = "value_avg"
    VALUE_PERCENTILE = "value_percentile"
    VALUE_MEDIAN = "value_median"


NEEDS_FIELD = frozenset(Kind) - {Kind.EVENT_COUNT, Kind.TEMPORAL, Kind.TEMPORAL_ORDERED}


class Known(StrEnum):
    """When it can be told whether a term holds with a match as its last one."""

    AT_ONCE = "at-once"
    WITH_ITS_MOMENT = "with-its-moment"  # when all that has the same time is there, too
    AFTERWARDS = "afterwards"  # when the timespan after it is over


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """One way in which an expression over rules holds: all of `has`, and none of the others in its place."""

    has: tuple[str, ...]  # in the order listed
    before: tuple[str, ...] = ()
    between: tuple[str, ...] = ()
    after: tuple[str, ...] = ()  # known only when the timespan after the last of `has` is over

    @property
    def lacks(self) -> tuple[str, ...]:
        return (*self.before, *self.between, *self.after)

    @property
    def known(self) -> Known:
        return Known.AFTERWARDS if self.after else Known.WITH_ITS_MOMENT if self.lacks else Known.AT_ONCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation(AnyRule):
    """A correlation rule over the rules (or correlations) it names."""

    kind: Kind
    rules: tuple[str, ...]  # ids, in the order written
    group_by: tuple[str, ...]
    aliases: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()  # alias -> (rule id, field)
    timespan: timedelta
    conditions: tuple[tuple[str, float], ...]  # ("gte", 5); all must hold
    terms: tuple[Term, ...] = ()  # of an expression; one must hold, and `conditions` is empty
    expression: str = ""  # as written
    fields: tuple[str, ...] = ()  # whose values count; several together are one value
    percentile: float = 50.0
    generate: bool = False  # the rules it names alert by themselves too

    @property
    def field(self) -> str:
        """As one text; empty when no values count."""
        return ", ".join(self.fields)

    @property
    def waits(self) -> bool:
        """Whether it asks what does not follow."""
        return any(term.after for term in self.terms)

    @property
    def state(self) -> str:
        """As of any rule, and which rules the names it uses mean."""
        return " ".join((self.digest, *self.rules))

    def group_field(self, alias: str, rule_id: str) -> str:
        """The event's field behind a name of group-by or of the counted field, for a match of `rule_id`."""
        for known, fields in self.aliases:
            if known == alias:
                return dict(fields).get(rule_id, alias)
        return alias


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A document that is not used, and why."""

    origin: Origin
    reason: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.reason}"
