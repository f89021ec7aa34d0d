"""What goes into windows and what comes out of them: sightings, what is to be judged later, firings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from monitoring.event import Value
from soc.sigma.rule import Correlation, Known
from soc.sigma.window import Entry


class Judgement(NamedTuple):
    """A group to look at once more, when what has the same moment as a match, or follows it, is known."""

    correlation_id: str
    key: str
    group: tuple[tuple[str, str], ...]
    entry: Entry
    known: Known


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """A match on its way into windows. With a judgement: no match, but a moment to look at one again."""

    at_us: int  # @timestamp
    id: str  # of the event; of the episode when a correlation fired
    rule: str
    received_us: int
    fields: Mapping[str, Value]  # those that correlations look at
    device: str = ""
    site: str = ""
    event: bytes = b""  # its JSON; empty when a correlation fired
    number: int = 0  # where its copy is kept; 0: nowhere
    judgement: Judgement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """A correlation's condition holds in a group."""

    correlation: Correlation
    key: str
    group: tuple[tuple[str, str], ...]  # fields an event lacks are left out
    entries: Sequence[Entry]  # what made it hold is entries[low:high]; oldest first; do not keep
    low: int
    high: int
    rules: frozenset[str]  # only entries of these belong to it
    last: Sighting  # what made it hold
    at_us: int  # when that was known, for those that build on it: a match, or the end of what did not follow
    value: float
