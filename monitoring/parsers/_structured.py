"""Parsers for messages made of pairs, written as data.

    format: pairs            # pairs | cef | leef | csv | json | sd (RFC 5424's structured data) | any | own
    requires: [type, devid]  # keys without which the message is not this parser's
    keys: {srcip: source.ip, user: [user.name, source.user.name]}
    cases:                   # of each group the first that fits
      kind:
        - when: {type: traffic, action: [deny, blocked]}
          set: {event.action: connection-denied, event.outcome: failure}
        - set: {event.category: [network]}
      meaning:             # one look-up, for long catalogues: `is` are values of the key `by` (of its end, with `last`)
        by: logid
        last: 5
        of:
          - is: [32001, 32006]
            set: {event.action: login}
          - set: {event.category: [host]}    # any other value

A condition compares without regard to case; `{re: ...}`, `{exists: true}` and `{not: ...}` stand where a
value is not enough. Of two keys for one field the first written wins. What `keys` does not name is looked up
in `_common.yaml`, the names that many senders use, unless `common: false`. `only: {key: value}` are conditions
without which the message is another's, as `requires` is for keys alone. `keep: <prefix>` keeps
the pairs nobody named, below that prefix. csv: `columns` are the names in order, or `{at: 3, TRAFFIC: [...], ...}`
when a column says which; `separator`. json: nested keys are joined by dots. any: whichever of json, cef, leef, sd
and pairs the message is, for products that can be set to each. own: parser.py has `read(line)`. `text: <key>`
is a value that the parser's `rules` read. `time: ["date time tz", eventtime]` is the event's own time, of the first
entry whose keys are all there; `durations: {elapsed: s, rtt: ms}` are `event.duration` in the unit named.
`like: [generic_cef]` takes over the keys of another parser, after those written here. `infer: [act, msg]` are keys
whose words tell what happened where no case has said it. `ignore` names keys that mean something else here than in
`_common.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from canh_native import Cases, Common, Conditions, KeyTable

from monitoring.event import Value
from monitoring.parsers._fields import put
from monitoring.parsers._formats import Pairs, cef_of, csv_of, flat_of, leef_of, pairs_of, structured_pairs
from monitoring.parsers._infer import infer
from monitoring.parsers._line import Line

Read = Callable[[Line], Pairs | None]
_READING = frozenset({"format", "requires", "only", "columns", "separator", "stop", "begin"})
_MEANING = frozenset({"keys", "like", "cases", "common", "keep", "text", "time", "durations", "infer", "ignore"})
KEYS = _READING | _MEANING
LONGEST_KEY = 128
NO_KEYS: Set[str] = frozenset()
_DECIMAL = re.compile(r"\d{1,12}\.\d{1,9}")
NANOSECONDS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Structured:
    """What one parser does with the pairs of a message."""

    read: Read
    requires: Set[str]
    only: Conditions
    keys: tuple[tuple[str, str], ...]  # (key, field), the preferred key of a field last
    table: KeyTable  # the same, compiled
    cases: Cases
    is_common: bool
    keep: str
    text: str
    times: tuple[tuple[str, ...], ...] = ()  # keys whose values, joined, are the event's own time
    durations: tuple[tuple[str, int], ...] = ()  # (key, nanoseconds of its unit)
    ignored: Set[str] = NO_KEYS  # keys whose usual meaning is not theirs
    words: tuple[str, ...] = ()  # keys whose values say what happened

    @classmethod
    def of(cls, document: Mapping[str, Any], own: Read | None = None) -> Structured:
        """Compiled once. `own` reads the pairs of `format: own`. Raises ValueError, KeyError, TypeError."""
        keys = _keys(document.get("keys", {}))
        for name in document.get("like", ()):
            keys = (*_keys_of(name), *keys)
        return cls(
            read=_reader(document, own),
            requires=frozenset(document.get("requires", ())),
            only=Conditions([_condition(key, wanted) for key, wanted in document.get("only", {}).items()]),
            keys=keys,
            table=KeyTable(keys),
            ignored=frozenset(document.get("ignore", ())),
            cases=Cases([_group(group) for group in document.get("cases", {}).values()]),
            is_common=document.get("common", True),
            keep=document.get("keep", ""),
            text=document.get("text", ""),
            times=tuple(tuple(written.split()) for written in document.get("time", ())),
            durations=tuple((key, NANOSECONDS[unit]) for key, unit in document.get("durations", {}).items()),
            words=tuple(document.get("infer", ())),
        )

    def pairs_of(self, line: Line) -> Pairs | None:
        """The pairs; None when the message is not of this kind."""
        pairs = self.read(line)
        if not pairs or not pairs.keys() >= self.requires:
            return None
        return pairs if self.only.hold(pairs) else None

    def fields_of(self, pairs: Pairs) -> dict[str, Value]:
        fields: dict[str, Value] = {}
        self.table.fill(fields, pairs)
        self.cases.apply(fields, pairs)
        if self.times:
            _add_time(fields, pairs, self.times)
        if self.durations:
            _add_duration(fields, pairs, self.durations)
        if self.is_common:
            add_common(fields, pairs, self.ignored)
        if self.words:
            if fields.get("event.outcome") == "unknown":
                del fields["event.outcome"]
            infer(fields, " ".join([str(pairs[word]) for word in self.words if word in pairs]))
        if self.keep:
            named = {key for key, _ in self.keys}
            for key, value in pairs.items():
                if key not in named and len(key) < LONGEST_KEY:
                    put(fields, self.keep + key, value)
        return fields


def _add_time(fields: dict[str, Value], pairs: Pairs, times: tuple[tuple[str, ...], ...]) -> None:
    for keys in times:
        if all(pairs.get(key) for key in keys):
            fields["@timestamp"] = " ".join([str(pairs[key]) for key in keys])
            return


def _add_duration(fields: dict[str, Value], pairs: Pairs, durations: tuple[tuple[str, int], ...]) -> None:
    for key, unit in durations:
        written = str(pairs.get(key, "")).strip()
        if written.isdecimal() and len(written) < 13:
            fields["event.duration"] = int(written) * unit
            return
        if _DECIMAL.fullmatch(written):
            fields["event.duration"] = round(float(written) * unit)
            return


def add_common(fields: dict[str, Value], pairs: Pairs, ignored: Set[str] = NO_KEYS) -> None:
    """Fill what is still open from the names many senders use. ignored: keys that mean something else here."""
    _common().fill(fields, pairs, ignored)


@cache
def _common() -> Common:
    document = yaml.safe_load(Path(__file__).with_name("_common.yaml").read_text("utf-8"))
    return Common({key: field for field, names in document.items() for key in names.split()})


def _keys(written: Mapping[str, str | Sequence[str]]) -> tuple[tuple[str, str], ...]:
    pairs = [
        (str(key), field)
        for key, fields in written.items()
        for field in ([fields] if isinstance(fields, str) else fields)
    ]
    return tuple(reversed(pairs))  # what is put last stays


@cache
def _keys_of(name: str) -> tuple[tuple[str, str], ...]:
    """The keys of another parser: the standard names of CEF are written once, with its generic parser."""
    document = yaml.safe_load((Path(__file__).parent / name / "parser.yaml").read_text("utf-8"))
    return _keys(document["keys"])


# What the native part is given: (key, words, pattern, is negated), (conditions, fields, keys) and
# (cases in order, key whose value names a case, characters of its end that count, cases by name, these cases).
Condition = tuple[str, list[str], re.Pattern[str] | None, bool]
Case = tuple[list[Condition], dict[str, Value], tuple[tuple[str, str], ...]]
Group = tuple[list[Case], str, int, dict[str, int], list[Case]]


def _group(document: Sequence[Mapping[str, Any]] | Mapping[str, Any]) -> Group:
    if not isinstance(document, Mapping):
        return list(map(_case, document)), "", 0, {}, []
    unknown = set(document) - {"by", "last", "of"}
    if unknown:
        raise ValueError(f"a group of cases by a key has by, last and of, not {sorted(unknown)[0]!r}")
    named = [case for case in document["of"] if "is" in case]
    numbers = {str(value).lower(): number for number, case in enumerate(named) for value in case["is"]}
    others = [_case(case) for case in document["of"] if "is" not in case]
    return others, document["by"], document.get("last", 0), numbers, list(map(_case, named))


def _case(document: Mapping[str, Any]) -> Case:
    unknown = set(document) - {"when", "set", "keys", "is"}
    if unknown:
        raise ValueError(f"a case has when, set and keys, not {sorted(unknown)[0]!r}")
    return (
        [_condition(key, wanted) for key, wanted in document.get("when", {}).items()],
        {key: tuple(v) if isinstance(v, list) else v for key, v in document.get("set", {}).items()},
        _keys(document.get("keys", {})),
    )


def _condition(key: str, wanted: Any, is_negated: bool = False) -> Condition:
    if isinstance(wanted, Mapping):
        ((kind, value),) = wanted.items()
        if kind == "not":
            return _condition(key, value, not is_negated)
        if kind == "exists":
            return key, [], None, is_negated is bool(value)
        if kind == "re":
            return key, [], re.compile(value, re.IGNORECASE), is_negated
        raise ValueError(f"condition on {key!r}: unknown kind {kind!r}, known are exists, not, re")
    words = wanted if isinstance(wanted, list) else [wanted]
    return key, [str(word).lower() for word in words], None, is_negated


def _reader(document: Mapping[str, Any], own: Read | None) -> Read:
    kind = document["format"]
    if kind == "own" and own is not None:
        return own
    if kind == "pairs":
        stop = document.get("stop", " ")
        return lambda line: pairs_of(line.text, stop)
    if kind == "any":
        return lambda line: any_pairs(line, document.get("stop", " "))
    if kind == "csv":
        return _csv_reader(document)
    readers: dict[str, Read] = {
        "cef": lambda line: cef_of(line.text),
        "leef": lambda line: leef_of(line.text),
        "json": lambda line: None if line.document is None else flat_of(line.document),
        "sd": lambda line: structured_pairs(line.structured) if line.structured else None,
    }
    if kind not in readers:
        raise ValueError(
            f"unknown format {kind!r}, known are any, csv, own (with read in parser.py), pairs, {', '.join(readers)}"
        )
    return readers[kind]


def any_pairs(line: Line, stop: str = " ") -> Pairs | None:
    """The pairs of a message in whichever of the formats it is."""
    if line.document is not None:
        return flat_of(line.document)
    text = line.text
    if "CEF:" in text and (found := cef_of(text)) is not None:
        return found
    if "LEEF:" in text and (found := leef_of(text)) is not None:
        return found
    if line.structured and "=" not in text:
        return structured_pairs(line.structured)
    return pairs_of(text, stop)


def _csv_reader(document: Mapping[str, Any]) -> Read:
    separator, columns = document.get("separator", ","), document["columns"]
    begin = re.compile(document["begin"]) if "begin" in document else None

    def read(line: Line) -> Pairs | None:
        text = line.text
        if begin is not None:
            match = begin.search(text)
            if match is None:
                return None
            text = text[match.start() :]
        values = csv_of(text, separator)
        names = columns
        if isinstance(columns, Mapping):
            at = columns["at"]
            names = columns.get(values[at]) if len(values) > at else None
            if names is None:
                return None
        return {name: value for name, value in zip(names, values, strict=False) if name and value != ""}

    return read
