"""Which parser a message is for: by receiver, program name, platform of the sender, or a marker in its text.

Built once from the folders below; asking costs two dictionary look-ups for a known program and
one pass of a literal search for anything else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml

from monitoring.errors import ParserError
from monitoring.event import Value
from monitoring.parsers._line import Line, Parsed
from monitoring.parsers._rules import RuleSet

HERE = Path(__file__).parent
Parse = Callable[[Line], Parsed | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parser:
    """One folder: what it answers to and what it does."""

    name: str
    parse: Parse
    fields: Mapping[str, Value]  # on every event of it; what `parse` says goes before
    app_names: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """All parsers. `candidates` are tried in order; the first that answers wins."""

    parsers: Mapping[str, Parser]
    by_receiver: Mapping[str, tuple[Parser, ...]] = field(default_factory=dict)
    by_app_name: Mapping[str, tuple[Parser, ...]] = field(default_factory=dict)
    by_platform: Mapping[str, tuple[Parser, ...]] = field(default_factory=dict)
    by_marker: Mapping[str, tuple[Parser, ...]] = field(default_factory=dict)
    markers: re.Pattern[str] | None = None

    def parse(self, line: Line, *, receiver: str = "", hint: str = "") -> tuple[Parser, Parsed] | None:
        """The parser that knows the message and what it says; None when none does."""
        tried: list[Parser] = []
        for parser in self._candidates(line, receiver, hint):
            if parser not in tried:
                tried.append(parser)
                parsed = parser.parse(line)
                if parsed is not None:
                    return parser, parsed
        return None

    def takes_whole(self, receiver: str) -> bool:
        """Messages of this receiver have no syslog header."""
        return receiver in self.by_receiver

    def _candidates(self, line: Line, receiver: str, hint: str) -> Iterable[Parser]:
        if receiver in self.by_receiver:
            yield from self.by_receiver[receiver]
            return
        if hint and hint in self.parsers:
            yield self.parsers[hint]
        app = line.app_name
        known = self.by_app_name.get(app) or self.by_app_name.get(app.rpartition("/")[2].lower())
        if known:
            yield from known
        if line.platform in self.by_platform:
            yield from self.by_platform[line.platform]
        if self.markers is not None:
            for marker in dict.fromkeys(self.markers.findall(line.text)):
                yield from self.by_marker[marker]


@cache
def load(folder: Path = HERE) -> Index:
    """Every parser of a folder. Raises ParserError when one cannot be used."""
    parsers = {
        p.name: p for p in sorted((_parser(file) for file in folder.glob("*/parser.yaml")), key=lambda p: p.name)
    }
    markers = _by(parsers.values(), "contains")
    longest_first = sorted(markers, key=len, reverse=True)
    return Index(
        parsers=parsers,
        by_receiver=_by(parsers.values(), "receivers"),
        by_app_name=_by(parsers.values(), "app_names"),
        by_platform=_by(parsers.values(), "platforms"),
        by_marker=markers,
        markers=re.compile("|".join(map(re.escape, longest_first))) if markers else None,
    )


def _by(parsers: Iterable[Parser], attribute: str) -> dict[str, tuple[Parser, ...]]:
    found: dict[str, tuple[Parser, ...]] = {}
    for parser in parsers:
        for key in getattr(parser, attribute):
            found[key] = (*found.get(key, ()), parser)
    return found


_KEYS = frozenset({"match", "set", "before", "rules", "takes_unknown"})
_MATCH_KEYS = frozenset({"app_name", "platform", "contains", "receiver"})


def _refuse_unknown(given: Mapping[str, Any], known: frozenset[str]) -> None:
    unknown = sorted(set(given) - known)
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r}, known are {', '.join(sorted(known))}")


def _parser(file: Path) -> Parser:
    name = file.parent.name
    try:
        document: dict[str, Any] = yaml.load(file.read_text("utf-8"), Loader=yaml.CSafeLoader)
        match = document.get("match", {})
        _refuse_unknown(document, _KEYS)
        _refuse_unknown(match, _MATCH_KEYS)
        parse: Parse = RuleSet.of(document).parse
        if (file.parent / "parser.py").exists():
            parse = import_module(f"monitoring.parsers.{name}.parser").parse
        return Parser(
            name=name,
            parse=parse,
            fields={key: tuple(v) if isinstance(v, list) else v for key, v in document.get("set", {}).items()},
            app_names=tuple(match.get("app_name", ())),
            platforms=tuple(match.get("platform", ())),
            contains=tuple(match.get("contains", ())),
            receivers=tuple(match.get("receiver", ())),
        )
    except (OSError, yaml.YAMLError, ImportError, AttributeError, ValueError, KeyError, TypeError) as error:
        raise ParserError(
            f"parser {name} cannot be used: {error}", where=file, fix="correct it or remove the folder"
        ) from error
