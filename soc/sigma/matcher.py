"""Events against compiled rules: a batch in, what matched and why out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from monitoring.event import Event
from soc.alert import FieldMatch
from soc.sigma.loader import RuleSet
from soc.sigma.rule import Rule


class Match(NamedTuple):
    """One event met one rule."""

    event: int  # its place in the batch
    rule: Rule
    fields: tuple[FieldMatch, ...]


class Matcher:
    """Immutable but for its count of events the engine could not read."""

    def __init__(self, rules: RuleSet) -> None:
        self._compiled = rules.compiled
        self._by_number = {rule.number: rule for rule in rules.rules}
        self.invalid = 0

    def match(self, encoded: Sequence[bytes], threads: int = 1) -> Iterator[Match]:
        """The matches of a batch of events as JSON, in order of event and rule, whatever the number of threads."""
        found, invalid = self._compiled.match_batch(list(encoded), threads)
        self.invalid += len(invalid)
        for at, number, fields in found:
            rule = self._by_number.get(number)
            if rule is not None:
                yield Match(at, rule, tuple(_why(*field) for field in fields))


def encode(event: Event) -> bytes:
    """The event as the engine reads it and the outbox keeps it: flat JSON, always valid UTF-8."""
    return json.dumps(dict(event.fields), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def decode(encoded: bytes) -> Event:
    """The inverse of `encode`."""
    fields = json.loads(encoded)
    return Event({name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()})


def _why(selection: str, field: str, value: str, pattern: str) -> FieldMatch:
    return FieldMatch(selection=selection, field=field, value=value, pattern=pattern)
