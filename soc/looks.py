"""What in a batch of records detection has to look at: those that met a rule, and those that need the lines before.

    records ► fields ► event as JSON ► matcher ► Look

Most records meet no rule, so of most nothing is left. Any process may work this out; windows and
episodes are counted by one, in order (`soc.tails`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from monitoring.event import Event, Value
from monitoring.sessions import STEP
from monitoring.spool import SpoolRecord
from soc.alert import FieldMatch
from soc.episodes import microseconds
from soc.sigma.loader import RuleSet
from soc.sigma.matcher import Matcher, decode, encode
from soc.sigma.rule import Rule


class Parsing(Protocol):
    """`monitoring.pipeline.Pipeline`."""

    def fields_of(self, record: SpoolRecord) -> dict[str, Value]: ...
    def followed(self, fields: dict[str, Value]) -> Event: ...


class Look(NamedTuple):
    """A record worth a look."""

    received_us: int
    position: int
    encoded: bytes  # the event; empty: `fields` has to be followed first, then matched
    fields: Mapping[str, Value]
    found: tuple[tuple[int, tuple[FieldMatch, ...]], ...]  # number of the rule, why


class Looks(NamedTuple):
    """Of a batch of records."""

    looks: tuple[Look, ...] = ()
    last_us: int = 0  # the latest receiving among all records; 0 when there are none
    unreadable: int = 0  # events the engine could not read
    defects: int = 0  # records that gave no event


class Found(NamedTuple):
    """What detection counts."""

    rule: Rule
    event: Event
    encoded: bytes
    why: tuple[FieldMatch, ...]


class Looker:
    """Parser and matcher of one process. Plain but for its counters, so it may be forked."""

    def __init__(self, parsing: Parsing, rules: RuleSet) -> None:
        self._parsing, self._matcher = parsing, Matcher(rules)
        self._rules = {rule.number: rule for rule in rules.rules}
        self.defects = 0  # looks that `found` could make no event of

    def __call__(self, records: Sequence[SpoolRecord], _word: object = None) -> Looks:
        """What of `records` has to be looked at, in their order."""
        made: list[tuple[SpoolRecord, dict[str, Value]]] = []
        defects = 0
        for record in records:
            try:
                made.append((record, self._parsing.fields_of(record)))
            except Exception:  # a defect of a parser must not stop the stream; storing buries the record and says why
                defects += 1
        before = self._matcher.invalid
        plain = [index for index, (_, fields) in enumerate(made) if STEP not in fields]
        encoded = {index: encode(Event(made[index][1])) for index in plain}
        why: dict[int, list[tuple[int, tuple[FieldMatch, ...]]]] = {}
        for at, rule, fields in self._matcher.match([encoded[index] for index in plain]):
            why.setdefault(plain[at], []).append((rule.number, fields))
        looks = [
            Look(
                microseconds(record.received),
                record.position,
                encoded.get(index, b""),
                {} if index in encoded else fields,
                tuple(why.get(index, ())),
            )
            for index, (record, fields) in enumerate(made)
            if index in why or index not in encoded
        ]
        last_us = max((microseconds(record.received) for record in records), default=0)
        return Looks(tuple(looks), last_us, self._matcher.invalid - before, defects)

    def found(self, look: Look) -> Iterator[Found]:
        """The matches of a look; those of one process are to be asked in order, because a session has a memory."""
        if look.encoded:
            event = decode(look.encoded)
            for number, why in look.found:
                yield Found(self._rules[number], event, look.encoded, why)
            return
        try:
            encoded = encode(self._parsing.followed(dict(look.fields)))
        except Exception:  # as above
            self.defects += 1
            return
        event = decode(encoded)  # half a surrogate pair, which no case store takes, is gone
        for _, rule, fields in self._matcher.match([encoded]):
            yield Found(rule, event, encoded, fields)
