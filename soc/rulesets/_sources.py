"""Which log sources can be seen here: what a rule's `logsource` is worth in this province.

Parsers make events, the table of log sources says of which source an event is. The golden cases of a
parser show what it makes; its name stands on every event (`canh.parser`), so the store tells which are at work.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from canh_native import RuleSet as Compiled

from inventory.model import Platform, Province
from soc.sigma.rule import LogSource
from soc.sigma.tables import log_sources

PARSERS = Path(__file__).resolve().parents[2] / "monitoring/parsers"
_OF_THE_PLATFORM = frozenset({"canh_self", "snmp_poll", "snmp_trap"})  # whoever polls and listens has these
_OF_DEBIAN = "linux_"  # names of the parsers of what any Linux host may send


class Sight(StrEnum):
    """What is known of a log source here, best first."""

    SEEN = "seen"  # events of it are stored
    POSSIBLE = "possible"  # a platform of the inventory can send them
    ABSENT = "absent"  # a parser makes them, and nobody here sends any
    UNREAD = "unread"  # the table knows it, and no parser is known to make it
    NONE = "none"  # no event can be of this source

    @property
    def is_loadable(self) -> bool:
        return self is not Sight.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """The log sources there are, and those at hand."""

    known: frozenset[LogSource]
    made: frozenset[LogSource]
    possible: frozenset[LogSource]
    seen: frozenset[LogSource]

    def sight_of(self, rule: LogSource) -> Sight:
        for sources, sight in (
            (self.seen, Sight.SEEN),
            (self.possible, Sight.POSSIBLE),
            (self.made, Sight.ABSENT),
            (self.known, Sight.UNREAD),
        ):
            if any(covers(rule, source) for source in sources):
                return sight
        return Sight.NONE


def sources_of(province: Province | None, seen_parsers: Iterable[str]) -> Sources:
    """What can be seen in a province. seen_parsers: values of canh.parser in the store."""
    known = frozenset(_source(entry["is"]) for entry in json.loads(log_sources()))
    platforms = set() if province is None else {device.platform for device in province.devices.values()}
    made = sources_by_parser()
    possible: set[LogSource] = set()
    for platform in platforms:
        for parser in parsers_of(platform):
            possible |= _of_events(parser, platform)
    return Sources(
        known=known,
        made=frozenset(source for sources in made.values() for source in sources),
        possible=frozenset(possible),
        seen=frozenset(source for name in seen_parsers for source in made.get(name, ())),
    )


def covers(rule: LogSource, source: LogSource) -> bool:
    """A rule of source `rule` looks at events of `source`: all it names is there and equal."""
    pairs = ((rule.product, source.product), (rule.category, source.category), (rule.service, source.service))
    return all(not asked or asked.lower() == there.lower() for asked, there in pairs)


def parsers_of(platform: Platform) -> frozenset[str]:
    """The parsers that read what devices of a platform send, as far as the platform decides it."""
    from monitoring.parsers import load

    named = {name for name, p in load().parsers.items() if platform.value in p.platforms or name == platform.value}
    if platform is Platform.DEBIAN:
        named |= {name for name in load().parsers if name.startswith(_OF_DEBIAN)}
    return frozenset(named | _OF_THE_PLATFORM)


@cache
def sources_by_parser() -> Mapping[str, frozenset[LogSource]]:
    """The log sources of the events in each parser's golden cases."""
    return {name: _of_events(name, None) for name in golden_events()}


@cache
def golden_events() -> Mapping[str, tuple[dict[str, Any], ...]]:
    """What each parser is known to make: flat events, by its name."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(PARSERS.glob("*/tests/*.json")):
        for event in json.loads(path.read_bytes()):
            name = event.get("canh.parser") or path.parent.parent.name
            found.setdefault(name, []).append(event)
    return {name: tuple(events) for name, events in found.items()}


def _of_events(parser: str, platform: Platform | None) -> frozenset[LogSource]:
    beside = {} if platform is None else {"canh.platform": platform.value}
    return frozenset(
        source for event in golden_events().get(parser, ()) for source in sources_of_event({**event, **beside})
    )


def sources_of_event(fields: Mapping[str, Any]) -> Iterator[LogSource]:
    """The log sources the table gives an event."""
    for product, category, service in _table().log_sources(json.dumps(fields).encode()):
        yield LogSource(product=product or "", category=category or "", service=service or "")


@cache
def _table() -> Compiled:
    return Compiled([], log_sources(), [])


def _source(written: Mapping[str, str]) -> LogSource:
    return LogSource(
        product=written.get("product", ""), category=written.get("category", ""), service=written.get("service", "")
    )
