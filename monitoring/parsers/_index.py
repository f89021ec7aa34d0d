"""Which parser a message is for: by receiver, hint, program name, keys of its JSON, platform of the sender, text.

Built once from the folders below. Asking costs two dictionary look-ups for a known program; for anything else
one pass over the text finds every literal that any parser waits for.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from operator import itemgetter
from pathlib import Path
from typing import Any

import yaml
from canh_native import Beginnings, Markers

from monitoring.errors import ParserError
from monitoring.event import Value
from monitoring.parsers._formats import Pairs
from monitoring.parsers._line import Line, Parsed
from monitoring.parsers._rules import RuleSet
from monitoring.parsers._structured import KEYS as STRUCTURED_KEYS
from monitoring.parsers._structured import Structured

_ENTERPRISE = re.compile(r"\[[^\s\]=\"@]{1,32}@(\d{1,10})")
HERE = Path(__file__).parent
Parse = Callable[[Line], Parsed | None]
log = logging.getLogger("canh.parsers")
Rank = tuple[bool, int, str]  # looks at values too, most keys, name
Refine = Callable[[Line, dict[str, Value], Pairs], Parsed | None]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Parser:
    """One folder: what it answers to and what it does."""

    name: str
    make: Callable[[], Parse]  # raises ParserError
    parse: Parse  # made by the first message
    fields: Mapping[str, Value]  # on every event of it; what `parse` says goes before
    app_names: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    enterprises: tuple[str, ...] = ()  # private enterprise numbers that its structured data names (RFC 5424, 7.2.2)
    receivers: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()  # other names a person would give it
    contains: tuple[tuple[str, ...], ...] = ()  # sets of literals; one of the sets must be there whole
    begins: tuple[re.Pattern[str], ...] = ()
    json_keys: tuple[frozenset[str], ...] = ()
    is_narrow: bool = (
        False  # it looks at values too before it takes a message: asked before those that look at keys alone
    )
    last: int = 0  # a generic one, asked when no other answers, the lowest number first


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """All parsers. Candidates are tried in order; the first that answers wins."""

    parsers: Mapping[str, Parser]
    refused: tuple[ParserError, ...]  # folders that cannot be read: the others go on without them
    by_receiver: Mapping[str, tuple[Parser, ...]]
    by_app_name: Mapping[str, tuple[Parser, ...]]
    by_platform: Mapping[str, tuple[Parser, ...]]
    by_enterprise: Mapping[str, tuple[Parser, ...]]
    by_hint: Mapping[str, tuple[Parser, ...]]
    of_json: Mapping[str, tuple[tuple[Rank, frozenset[str], Parser], ...]]  # below one of its keys
    of_beginning: tuple[Parser, ...]  # by the numbers of `beginnings`
    of_other_beginning: tuple[tuple[re.Pattern[str], Parser], ...]  # with what only Python's patterns can
    last: tuple[Parser, ...]
    markers: Markers  # of literals in the text, the longest first
    beginnings: Beginnings

    def parse(self, line: Line, *, receiver: str = "", hint: str = "") -> tuple[Parser, Parsed] | None:
        """The parser that knows the message and what it says; None when none does."""
        tried: set[Parser] = set()
        if receiver in self.by_receiver:
            return _first(self.by_receiver[receiver], line, tried)
        first = _first if line.document is None or line.text.lstrip()[:1] in _OPENS else _first_led
        # Straight on and no generator: ending one early costs as much as finding the parser.
        if hint and (found := first(self.by_hint.get(_plain(hint), ()), line, tried)):
            return found
        if line.structured and (found := first(self._of_enterprise(line.structured), line, tried)):
            return found
        if line.app_name and (found := first(self._of_program(line.app_name), line, tried)):
            return found
        if line.platform in self.by_platform and (found := first(self.by_platform[line.platform], line, tried)):
            return found
        if line.document is not None and (found := first(self._of_keys(line.document), line, tried)):
            return found
        text = f"{line.structured} {line.text}" if line.structured else line.text
        return (
            first(self.markers.find(text), line, tried)
            or first(self._of_beginning(line.text), line, tried)
            or first(self.last, line, tried)
        )

    def parse_whole(self, line: Line) -> tuple[Parser, Parsed] | None:
        """For a line of a file, without a syslog header: the parser whose lines begin like it."""
        return _first(self._of_beginning(line.text), line, set())

    def _of_beginning(self, text: str) -> list[Parser]:
        quick = [self.of_beginning[number] for number in self.beginnings.find(text)]
        return quick + [parser for pattern, parser in self.of_other_beginning if pattern.match(text)]

    def compile(self) -> None:
        """Make every parser now. Raises ParserError for the first that cannot be used."""
        for error in self.refused:
            raise error
        for parser in self.parsers.values():
            parser.make()

    def takes_whole(self, receiver: str) -> bool:
        """Messages of this receiver have no syslog header."""
        return receiver in self.by_receiver

    def knows_hint(self, hint: str) -> bool:
        return _plain(hint) in self.by_hint

    def _of_enterprise(self, structured: str) -> Sequence[Parser]:
        """They say more than the name of a program that many vendors have."""
        enterprise = _ENTERPRISE.match(structured)
        return () if enterprise is None else self.by_enterprise.get(enterprise[1], ())

    def _of_program(self, app_name: str) -> Sequence[Parser]:
        return self.by_app_name.get(app_name) or self.by_app_name.get(app_name.rpartition("/")[2].lower(), ())

    def _of_keys(self, document: Mapping[str, Any]) -> list[Parser]:
        present = document.keys()
        table = self.of_json
        found = [entry for key in present if key in table for entry in table[key] if entry[1] <= present]
        if len(found) > 1:
            found.sort(key=_PLACE)
        return [parser for _, _, parser in found]


Found = tuple[Parser, Parsed]
_PLACE = itemgetter(0)
_OPENS = ("{", "[", '"', "@")  # of a message that `document_in` reads whole


def _first(parsers: Iterable[Parser], line: Line, tried: set[Parser]) -> Found | None:
    """The first of them, not asked yet, that answers."""
    for parser in parsers:
        if parser not in tried:
            parsed = parser.parse(line)
            if parsed is not None:
                return parser, parsed
            tried.add(parser)
    return None


def _first_led(parsers: Iterable[Parser], line: Line, tried: set[Parser]) -> Found | None:
    """`_first` for a text that ends in a document: a parser of other documents is shown no document at all.

    It would take it for the whole message and lose the words before it.
    """
    present = line.document.keys() if line.document is not None else frozenset()
    bare = line._replace(document=None)
    for parser in parsers:
        is_other = parser.json_keys and not any(keys <= present for keys in parser.json_keys)
        found = _first((parser,), bare if is_other else line, tried)
        if found is not None:
            return found
    return None


@cache
def load(folder: Path = HERE) -> Index:
    """Every parser of a folder, each compiled when it is first asked; what cannot be read is in `refused`."""
    parsers: dict[str, Parser] = {}
    refused: list[ParserError] = []
    for file in sorted(folder.glob("*/parser.yaml")):
        try:
            parsers[file.parent.name] = _parser(file)
        except ParserError as error:
            refused.append(error)
    asked = [parser for parser in parsers.values() if not parser.last]
    groups = [(group, parser) for parser in asked for group in parser.contains]
    groups.sort(key=lambda item: -sum(map(len, item[0])))
    keys = [(group, parser) for parser in asked for group in parser.json_keys]
    beginnings = [(pattern, parser) for parser in asked for pattern in parser.begins]
    quick = [beginning for beginning in beginnings if _is_quick(beginning[0].pattern)]
    return Index(
        parsers=parsers,
        refused=tuple(refused),
        by_receiver=_by(asked, lambda p: p.receivers),
        by_app_name=_by(asked, lambda p: p.app_names),
        by_platform=_by(asked, lambda p: p.platforms),
        by_enterprise=_by(asked, lambda p: p.enterprises),
        by_hint=_by(parsers.values(), lambda p: map(_plain, (p.name, *p.hints))),
        of_json=_by_rarest(keys),
        of_beginning=tuple(parser for _, parser in quick),
        of_other_beginning=tuple(beginning for beginning in beginnings if beginning not in quick),
        last=tuple(sorted((p for p in parsers.values() if p.last), key=lambda p: p.last)),
        markers=Markers(groups),
        beginnings=Beginnings([pattern.pattern for pattern, _ in quick]),
    )


def _is_quick(pattern: str) -> bool:
    """It can be tried together with all others: it looks neither ahead nor behind."""
    return re.search(r"\(\?<?[=!]|\\Z|\\\d|\(\?P=", pattern) is None


def _by(parsers: Iterable[Parser], keys_of: Callable[[Parser], Iterable[str]]) -> dict[str, tuple[Parser, ...]]:
    found: dict[str, tuple[Parser, ...]] = {}
    for parser in parsers:
        for key in keys_of(parser):
            found[key] = (*found.get(key, ()), parser)
    return found


def _by_rarest(
    entries: Sequence[tuple[frozenset[str], Parser]],
) -> dict[str, tuple[tuple[Rank, frozenset[str], Parser], ...]]:
    """Each set of keys below the one that fewest sets hold: a document asks only for those it may have."""
    count = Counter(key for keys, _ in entries for key in keys)
    found: dict[str, tuple[tuple[Rank, frozenset[str], Parser], ...]] = {}
    for keys, parser in entries:
        key = min(keys, key=lambda one: (count[one], one))
        rank = (not parser.is_narrow, -len(keys), parser.name)
        found[key] = (*found.get(key, ()), (rank, keys, parser))
    return found


def _plain(hint: str) -> str:
    return re.sub(r"[^a-z0-9]", "", hint.lower())


_KEYS = (
    frozenset({"match", "set", "before", "rules", "terms", "takes_unknown", "kinds", "words", "last"}) | STRUCTURED_KEYS
)
_MATCH_KEYS = frozenset({"app_name", "platform", "contains", "receiver", "begins", "json", "hint", "enterprise"})


def _refuse_unknown(given: Mapping[str, Any], known: frozenset[str]) -> None:
    unknown = sorted(set(given) - known)
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r}, known are {', '.join(sorted(known))}")


def _parser(file: Path) -> Parser:
    name = file.parent.name
    with _told(name, file):
        document: dict[str, Any] = yaml.load(file.read_text("utf-8"), Loader=yaml.CSafeLoader)
        match = document.get("match", {})
        _refuse_unknown(document, _KEYS)
        _refuse_unknown(match, _MATCH_KEYS)
        make = partial(_parse, name, file, document)
        return Parser(
            name=name,
            make=make,
            parse=_lazily(make),
            fields={key: tuple(v) if isinstance(v, list) else v for key, v in document.get("set", {}).items()},
            app_names=tuple(match.get("app_name", ())),
            platforms=tuple(match.get("platform", ())),
            enterprises=tuple(map(str, match.get("enterprise", ()))),
            receivers=tuple(match.get("receiver", ())),
            hints=tuple(match.get("hint", ())),
            contains=_groups(match.get("contains", ())),
            begins=tuple(re.compile(pattern) for pattern in match.get("begins", ())),
            json_keys=tuple(map(frozenset, _groups(match.get("json", ())))),
            is_narrow="only" in document,
            last=int(document.get("last", 0)),
        )


def _lazily(make: Callable[[], Parse]) -> Parse:
    """Compiled when its first message comes: a source speaks to few of hundreds of parsers, and all take seconds.

    One that cannot be used says so once and leaves every message to the others.
    """
    made: list[Parse] = []

    def parse(line: Line) -> Parsed | None:
        if not made:
            try:
                made.append(make())
            except ParserError as error:
                log.error("%s", error)
                made.append(lambda line: None)
        return made[0](line)

    return parse


def _groups(written: Sequence[str | list[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple((entry,) if isinstance(entry, str) else tuple(entry) for entry in written)


def _parse(name: str, file: Path, document: Mapping[str, Any]) -> Parse:
    """What the folder's files say: `parse` of parser.py alone, or the document's rules with `refine` of it after.

    Raises ParserError.
    """
    with _told(name, file):
        module = import_module(f"monitoring.parsers.{name}.parser") if (file.parent / "parser.py").exists() else None
        parse: Parse | None = getattr(module, "parse", None)
        if parse is not None:
            return parse
        refine: Refine | None = getattr(module, "refine", None)
        rules = RuleSet.of(document)
        if "format" not in document:
            return rules.parse if refine is None else _refined(rules, refine)
        return _structured(Structured.of(document, getattr(module, "read", None)), rules, refine)


@contextmanager
def _told(name: str, file: Path) -> Iterator[None]:
    try:
        yield
    except (
        OSError, yaml.YAMLError, ImportError, AttributeError, ValueError, KeyError, TypeError, SyntaxError, re.error
    ) as error:  # fmt: skip
        raise ParserError(
            f"parser {name} cannot be used: {error}", where=file, fix="correct it or remove the folder"
        ) from error


def _refined(rules: RuleSet, refine: Refine) -> Parse:
    def parse(line: Line) -> Parsed | None:
        parsed = rules.parse(line)
        return None if parsed is None else refine(line, parsed, {})

    return parse


def _structured(structured: Structured, rules: RuleSet, refine: Refine | None) -> Parse:
    def parse(line: Line) -> Parsed | None:
        pairs = structured.pairs_of(line)
        if pairs is None:
            return None
        fields = structured.fields_of(pairs)
        if structured.text and structured.text in pairs:
            told = rules.parse(line._replace(text=str(pairs[structured.text])))
            if told is not None:
                fields.update(told)
        return fields if refine is None else refine(line, fields, pairs)

    return parse
