"""Parsers written as data: a list of patterns and what each means.

    rules:
      - pattern: 'Accepted <canh.auth.method> for <user.name> from <source.ip:ip> port <source.port:int>'
        set: {event.action: login, event.outcome: success}

A pattern is a regular expression that must match from the first character on, in which
`<field>` or `<field:kind>` stands for a value. `\\<` is a literal. Kinds are those of `KINDS`; a value
is put into the form its field has (an address, a port, a user with his domain), and left out when it is nothing.
`<=name>` stands for the piece of that name below `terms`,
a kind of the parser's own is below `kinds`. Rules are tried in order, those whose literal
beginning does not fit are skipped without a match. A rule with `code: [..]` is only tried when `before` has taken
out one of these as `event.code`. With `words: true` a rule (or the document, for messages no rule fits) also takes
what the sentence itself names: addresses, ports, users.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from canh_native import Rule, Rules

from monitoring.event import Value
from monitoring.parsers._line import Line

KINDS = {
    "word": r"\S+",
    "text": r".{0,1024}?",  # as little as fits; bounded, or two of them take time by the square of a hostile line
    "phrase": r"[^;]{1,256}",  # no semicolon in it
    "unquoted": r"[^']{0,256}",  # no apostrophe in it
    "rest": r".*",
    "int": r"\d{1,18}",
    "digits": r"\d{1,18}",  # a number that is a name: an id
    "seconds": r"[+-]?\d{1,12}(?:\.\d{1,12})?",  # kept as milliseconds
    "ip": r"[0-9A-Fa-f:.]{2,45}(?:%[\w.-]{1,16})?",
    "ipv4": r"\d{1,3}(?:\.\d{1,3}){3}",  # where a colon and a port may follow
    "mac": r"[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{4}(?:[.:-][0-9A-Fa-f]{4}){2}|[0-9A-Fa-f]{12}",
    "quoted": r"[^\"]*",
    "name": r"[^\s:;,()\[\]]+",
    "boxed": r"[^\]]{0,256}",  # up to the bracket that closes
    "mailbox": r"[^\s<>,;]{0,320}",  # an address without its brackets
    "angled": r"[^<>']{1,512}",
    "item": r"[^,;'\"<>]{1,256}",  # one of several things that commas part
    "host": r"[^\s/(),;'\"\]]{1,255}",  # an address or a name
    "port": r"\d{1,5}|[A-Za-z][\w-]{0,31}",  # a number or a service
}
_PLACE = re.compile(r"(?<!\\)(?<!\(\?)(?<!\(\?P)<([a-z@][\w.@-]*)(?::(\w+))?>")
_TERM = re.compile(r"(?<!\\)(?<!\(\?)<=(\w+)>")
_LITERAL = re.compile(r"(?:[^\\.^$*+?{}\[\]|()<]|\\[^\w\s])*")
_PREFIX = 8  # characters compared before a pattern is tried
LONGEST_SENTENCE = 2048


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules of one parser, in order.

    `before`: what may stand before every message (a time since boot, a message id); the rules see what follows.
    `takes_unknown`: a message no rule fits is still its own.
    """

    rules: Rules

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> RuleSet:
        """Compiled once. Raises ValueError for a pattern that is none."""
        before = document.get("before")
        written = [(_rule(rule), frozenset(map(str, rule.get("code", ())))) for rule in rules_of(document)]
        codes = {code for _, own in written for code in own}
        return cls(
            Rules(
                [rule for rule, own in written if not own],
                {code: [rule for rule, own in written if not own or code in own] for code in codes},
                None if before is None else _rule({"pattern": before, "kinds": document.get("kinds", {})}),
                bool(document.get("takes_unknown", False)),
                _words_of(document),
            )
        )

    def parse(self, line: Line) -> dict[str, Value] | None:
        read = self.rules.parse(line.text, line.app_name)
        if read is None:
            return None
        fields, words, start = read
        return _with_words(fields, line.text[start:], words) if words else fields


def _words_of(document: Mapping[str, Any]) -> str:
    written = document.get("words", False)
    if written not in (True, False, "addresses"):
        raise ValueError(f"words is true, false or addresses, not {written!r}")
    return "all" if written is True else written or ""


def _with_words(fields: dict[str, Value], text: str, words: str) -> dict[str, Value]:
    """The fields, and what the sentence names for those that are open."""
    if words == "addresses":
        fields.setdefault("user.name", "")
    _words().add_words(fields, text[:LONGEST_SENTENCE])
    if fields.get("user.name") == "":
        del fields["user.name"]
    return fields


@cache
def _words() -> Any:
    return import_module("monitoring.parsers.generic_text.parser")  # it needs this package, so not before it is there


def rules_of(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The rules as written, their terms and own kinds put in. Raises KeyError for a term that is none."""
    terms: Mapping[str, str] = document.get("terms", {})
    own = {"kinds": document["kinds"]} if "kinds" in document else {}

    def whole(pattern: str) -> str:
        return _TERM.sub(lambda match: whole(terms[match[1]]), pattern)

    return [
        {**own, **rule, "pattern": whole(rule["pattern"])} if "pattern" in rule else rule
        for rule in document.get("rules", ())
    ]


def _rule(document: Mapping[str, Any]) -> Rule:
    written = document.get("pattern", "") if "code" in document else document["pattern"]
    kinds = {**KINDS, **document.get("kinds", {})}
    groups: list[tuple[str, str, str]] = []

    def place(match: re.Match[str]) -> str:
        kind = match[2] or "word"
        if kind not in kinds:
            raise ValueError(f"pattern {written!r}: unknown kind {kind}")
        groups.append((f"p{len(groups)}", match[1], kind))
        return f"(?P<{groups[-1][0]}>{kinds[kind]})"

    try:
        pattern = re.compile(_PLACE.sub(place, written), re.DOTALL)
    except re.error as error:
        raise ValueError(f"pattern {written!r}: {error}") from error
    return Rule(
        pattern,
        _prefix(written),
        [(pattern.groupindex[group], name, kind) for group, name, kind in groups],
        {k: tuple(v) if isinstance(v, list) else v for k, v in document.get("set", {}).items()},
        set(document.get("app_name", ())),
        _words_of(document),
    )


def _prefix(written: str) -> str:
    """The literal beginning of a pattern; a character that a quantifier follows is not part of it."""
    match = _LITERAL.match(written)
    literal = match[0] if match else ""
    after = written[len(literal) : len(literal) + 1]
    if after in ("?", "*", "{", "+"):
        literal = literal[:-2] if literal[-2:-1] == "\\" else literal[:-1]
    return "" if "|" in written.split("(")[0] else re.sub(r"\\(.)", r"\1", literal)
