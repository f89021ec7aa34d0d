"""A Sigma detection as a query either store answers: the plain part of Sigma, refused beyond it.

Values of keyword fields are compared letter by letter, as they are stored: our parsers write one word for
one thing. Modifiers: contains, startswith, endswith, cidr, exists, all, neq, gt, gte, lt, lte.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from ipaddress import ip_network
from typing import Any as Whatever

from monitoring import ecs
from monitoring.query import All, Any, Between, Everything, Exists, Network, Node, Not, Term, Text, Wildcard, unfit
from soc.sigma.tables import log_sources

_TOKEN = re.compile(r"\(|\)|[^\s()]+")
_STAR, _ONE = "\0*", "\0?"
_BOUNDS = {"gt": (True, False), "gte": (True, True), "lt": (False, False), "lte": (False, True)}
_ORDERED = ("long", "float", "date")  # types of fields
_NEVER = r"[^\s\S]"  # what an empty placeholder leaves (`soc.sigma.expand`)


class ConditionError(ValueError):
    """What a store cannot be asked."""


def node_of(detection: Mapping[str, Whatever], logsource: Mapping[str, Whatever]) -> Node:
    """The events a rule looks at. Raises ConditionError."""
    selections = {
        name: _selection(value) for name, value in detection.items() if name not in ("condition", "timeframe")
    }
    condition = detection.get("condition")
    if not isinstance(condition, str):
        raise ConditionError("detection.condition: one line is expected")
    reader = _Reader(_TOKEN.findall(condition), selections)
    return _all([source_node(logsource), reader.whole()])


def source_node(logsource: Mapping[str, Whatever]) -> Node:
    """Events of a log source, by the table detection routes with. Raises ConditionError when it names none."""
    wanted = {k: str(v).lower() for k, v in logsource.items() if k in ("product", "category", "service") and v}
    if not wanted:
        return Everything()
    entries = []
    for entry in json.loads(log_sources()):
        said = {k: str(v).lower() for k, v in entry["is"].items()}
        if wanted.items() <= said.items():
            entries.append({field: frozenset(map(str, values)) for field, values in entry["when"].items()})
    if not entries:
        raise ConditionError(f"logsource: no event is ever of {', '.join(wanted.values())}")
    return _any([_all([_one_of(f, values) for f, values in entry.items()]) for entry in _widest(entries)])


def _widest(entries: list[dict[str, frozenset[str]]]) -> list[dict[str, frozenset[str]]]:
    """The same events by fewer entries: those of one field together, and none that is within them.

    A bare `product: windows` is hundreds of entries, most of them an event id of a channel that is one itself.
    """
    whole: dict[str, frozenset[str]] = {}
    for entry in entries:
        if len(entry) == 1:
            ((field, values),) = entry.items()
            whole[field] = whole.get(field, frozenset()) | values
    kept: list[dict[str, frozenset[str]]] = [{field: values} for field, values in whole.items()]
    for entry in entries:
        is_within = any(field in entry and ("*" in values or entry[field] <= values) for field, values in whole.items())
        if len(entry) > 1 and not is_within and entry not in kept:
            kept.append(entry)
    return kept


def _one_of(field: str, values: Iterable[str]) -> Node:
    return Exists(field) if "*" in values else _any([Term(field, value) for value in sorted(values)])


def _selection(written: Whatever) -> Node:
    if isinstance(written, Mapping):
        return _all([_item(str(key), value) for key, value in written.items()])
    if isinstance(written, list):
        return _any([_selection(one) if isinstance(one, Mapping) else Text(str(one)) for one in written])
    raise ConditionError("a selection is a mapping or a list")


def _item(key: str, written: Whatever) -> Node:
    field, *modifiers = key.split("|")
    values = written if isinstance(written, list) else [written]
    if "exists" in modifiers:
        return Exists(field) if values == [True] else Not(Exists(field))
    every, turned = "all" in modifiers, "neq" in modifiers
    kinds = [m for m in modifiers if m not in ("all", "neq")]
    if len(kinds) > 1:
        raise ConditionError(f"{key}: only one of {', '.join(kinds)} at once")
    nodes = [_value(key, field, kinds[0] if kinds else "", value) for value in values]
    node = _all(nodes) if every else _any(nodes)
    return Not(node) if turned else node


def _value(key: str, field: str, kind: str, value: Whatever) -> Node:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if value is None:
        return Not(Exists(field))
    type_of = ecs.field_type(field).kind
    if kind in _BOUNDS:
        if type_of not in _ORDERED:
            raise ConditionError(f"{key}: a store orders numbers and times only, and {field} is none")
        _must_fit(key, field, text)
        is_low, is_in = _BOUNDS[kind]
        return Between(field, text, None, is_in, True) if is_low else Between(field, None, text, True, is_in)
    if kind == "cidr":
        try:
            return Network(field, ip_network(text))
        except ValueError as error:
            raise ConditionError(f"{key}: {error}") from error
    if kind == "re" and text == _NEVER:
        return Not(Everything())
    if kind not in ("", "contains", "startswith", "endswith"):
        raise ConditionError(f"{key}: a store cannot be asked for |{kind}")
    parts = _parts(text)
    if kind in ("contains", "endswith"):
        parts = [_STAR, *parts]
    if kind in ("contains", "startswith"):
        parts = [*parts, _STAR]
    if any(part in (_STAR, _ONE) for part in parts):
        if type_of in (*_ORDERED, "boolean", "ip"):
            raise ConditionError(f"{key}: a store finds patterns in text only; ask for values, |gt or |cidr")
        return Wildcard(field, tuple(parts))
    _must_fit(key, field, "".join(parts))
    return Term(field, "".join(parts))


def _must_fit(key: str, field: str, value: str) -> None:
    if why := unfit(field, value):
        raise ConditionError(f"{key}: {why}")


def _parts(text: str) -> list[str]:
    """Literals and wildcards of a Sigma value; a backslash before one of * ? \\ takes its meaning away."""
    parts, literal, at = [], "", 0
    while at < len(text):
        if text[at] == "\\" and text[at + 1 : at + 2] in ("*", "?", "\\"):
            literal, at = literal + text[at + 1], at + 2
            continue
        if text[at] in "*?":
            parts += [literal] if literal else []
            parts.append(_STAR if text[at] == "*" else _ONE)
            literal = ""
        else:
            literal += text[at]
        at += 1
    return parts + ([literal] if literal or not parts else [])


class _Reader:
    """Recursive descent over or < and < not < ( ... ), `1 of x*`, `all of them`, name."""

    def __init__(self, tokens: list[str], selections: Mapping[str, Node]) -> None:
        self.tokens, self.at, self.selections = tokens, 0, selections

    def whole(self) -> Node:
        node = self.either()
        if self.at < len(self.tokens):
            raise ConditionError(f"detection.condition: {self.tokens[self.at]!r} is not understood")
        return node

    def either(self) -> Node:
        nodes = [self.both()]
        while self.word() == "or":
            self.at += 1
            nodes.append(self.both())
        return _any(nodes)

    def both(self) -> Node:
        nodes = [self.term()]
        while self.word() == "and":
            self.at += 1
            nodes.append(self.term())
        return _all(nodes)

    def term(self) -> Node:
        word = self.next()
        if word == "not":
            return Not(self.term())
        if word == "(":
            node = self.either()
            if self.next() != ")":
                raise ConditionError("detection.condition: a parenthesis is not closed")
            return node
        if self.word() == "of" and word.lower() in ("1", "any", "all"):
            self.at += 1
            return self.several(self.next(), every=word.lower() == "all")
        if word not in self.selections:
            raise ConditionError(f"detection.condition: there is no selection {word!r}")
        return self.selections[word]

    def several(self, pattern: str, *, every: bool) -> Node:
        chosen = [
            node for name, node in self.selections.items() if pattern.lower() == "them" or fnmatchcase(name, pattern)
        ]
        if not chosen:
            raise ConditionError(f"detection.condition: no selection is called {pattern}")
        return _all(chosen) if every else _any(chosen)

    def next(self) -> str:
        if self.at >= len(self.tokens):
            raise ConditionError("detection.condition: it ends early")
        self.at += 1
        word = self.tokens[self.at - 1]
        return "not" if word.lower() == "not" else word

    def word(self) -> str:
        return self.tokens[self.at].lower() if self.at < len(self.tokens) else ""


def _all(nodes: list[Node]) -> Node:
    kept = [node for node in nodes if not isinstance(node, Everything)]
    return kept[0] if len(kept) == 1 else All(tuple(kept)) if kept else Everything()


def _any(nodes: list[Node]) -> Node:
    return nodes[0] if len(nodes) == 1 else Any(tuple(nodes))
