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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from canh_native import Places

from monitoring.event import Value
from monitoring.parsers._line import Line, Parsed

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    pattern: re.Pattern[str]
    prefix: str  # literal beginning, "" when the pattern begins with something variable
    places: Places
    fields: Mapping[str, Value]
    app_names: frozenset[str]  # only for these programs; empty: any
    codes: frozenset[str]  # only for messages of these codes; empty: any
    words: str = ""  # what the sentence names is taken too: "all", or its "addresses" and no user

    def parse(self, text: str, start: int) -> tuple[Parsed, int] | None:
        """The fields and where the match ends; None when the pattern does not fit at `start`."""
        match = self.pattern.match(text, start)
        if match is None:
            return None
        parsed = dict(self.fields)
        self.places.fill(parsed, match.groups())
        return parsed, match.end()


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """The rules of one parser, in order.

    before: what may stand before every message (a time since boot, a message id); the rules see what follows.
    takes_unknown: a message no rule fits is still its own.
    """

    rules: Sequence[Rule]  # for any message, and for one whose code no rule names
    by_code: Mapping[str, Sequence[Rule]]  # those of a code and those of none, in their order
    before: Rule | None = None
    takes_unknown: bool = False
    words: str = ""  # of a message no rule fits

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> RuleSet:
        """Compiled once. Raises ValueError for a pattern that is none."""
        before = document.get("before")
        rules = tuple(map(_rule, rules_of(document)))
        codes = {code for rule in rules for code in rule.codes}
        return cls(
            rules=tuple(rule for rule in rules if not rule.codes),
            by_code={code: tuple(r for r in rules if not r.codes or code in r.codes) for code in codes},
            before=None if before is None else _rule({"pattern": before, "kinds": document.get("kinds", {})}),
            takes_unknown=bool(document.get("takes_unknown", False)),
            words=_words_of(document),
        )

    def parse(self, line: Line) -> Parsed | None:
        text, start, first, rules = line.text, 0, None, self.rules
        if self.before is not None:
            found = self.before.parse(text, 0)
            if found is not None:
                first, start = found
                if self.by_code:
                    rules = self.by_code.get(str(first.get("event.code", "")), rules)
        for rule in rules:
            if rule.app_names and line.app_name not in rule.app_names:
                continue
            if text.startswith(rule.prefix, start):
                found = rule.parse(text, start)
                if found is not None:
                    parsed = {**first, **found[0]} if first else found[0]
                    return _with_words(parsed, text[start:], rule.words) if rule.words else parsed
        if not self.takes_unknown or text.startswith("pam_", start):  # PAM speaks through any program
            return None
        return _with_words(first or {}, text[start:], self.words) if self.words else first or {}


def _words_of(document: Mapping[str, Any]) -> str:
    written = document.get("words", False)
    if written not in (True, False, "addresses"):
        raise ValueError(f"words is true, false or addresses, not {written!r}")
    return "all" if written is True else written or ""


def _with_words(parsed: Parsed, text: str, words: str) -> Parsed:
    """The fields, and what the sentence names for those that are open."""
    fields = dict(parsed)
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
        pattern=pattern,
        prefix=_prefix(written),
        places=Places([(pattern.groupindex[group], name, kind) for group, name, kind in groups]),
        fields={k: tuple(v) if isinstance(v, list) else v for k, v in document.get("set", {}).items()},
        app_names=frozenset(document.get("app_name", ())),
        codes=frozenset(str(code) for code in document.get("code", ())),
        words=_words_of(document),
    )


def _prefix(written: str) -> str:
    """The literal beginning of a pattern; a character that a quantifier follows is not part of it."""
    match = _LITERAL.match(written)
    literal = match[0] if match else ""
    after = written[len(literal) : len(literal) + 1]
    if after in ("?", "*", "{", "+"):
        literal = literal[:-2] if literal[-2:-1] == "\\" else literal[:-1]
    return "" if "|" in written.split("(")[0] else re.sub(r"\\(.)", r"\1", literal)
