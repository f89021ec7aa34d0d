"""Parsers written as data: a list of patterns and what each means.

    rules:
      - pattern: 'Accepted <canh.auth.method> for <user.name> from <source.ip:ip> port <source.port:int>'
        set: {event.action: login, event.outcome: success}

A pattern is a regular expression that must match from the first character on, in which
`<field>` or `<field:kind>` stands for a value. `\\<` is a literal. Kinds are those of `KINDS`.
Rules are tried in order, those whose literal beginning does not fit are skipped without a match.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitoring.event import Value
from monitoring.parsers._line import Line, Parsed
from monitoring.parsers._values import ip_text, mac_text

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
    "mac": r"[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}",
    "quoted": r"[^\"]*",
    "name": r"[^\s:;,()\[\]]+",
}
_PLACE = re.compile(r"(?<!\\)(?<!\(\?)(?<!\(\?P)<([a-z@][\w.@-]*)(?::(\w+))?>")
_LITERAL = re.compile(r"(?:[^\\.^$*+?{}\[\]|()<]|\\[^\w\s])*")
_PREFIX = 8  # characters compared before a pattern is tried


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    pattern: re.Pattern[str]
    prefix: str  # literal beginning, "" when the pattern begins with something variable
    groups: tuple[tuple[int, str, str], ...]  # (number of the group, field, kind)
    fields: Mapping[str, Value]
    app_names: frozenset[str]  # only for these programs; empty: any

    def parse(self, text: str, start: int) -> tuple[Parsed, int] | None:
        """The fields and where the match ends; None when the pattern does not fit at `start`."""
        match = self.pattern.match(text, start)
        if match is None:
            return None
        parsed = dict(self.fields)
        for group, name, kind in self.groups:
            written = match[group]
            if written and written != "-":
                value = _value(written, kind)
                if value is not None:
                    parsed[name] = value
        return parsed, match.end()


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """The rules of one parser, in order.

    before: what may stand before every message (a time since boot, a message id); the rules see what follows.
    takes_unknown: a message no rule fits is still its own.
    """

    rules: Sequence[Rule]
    before: Rule | None = None
    takes_unknown: bool = False

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> RuleSet:
        """Compiled once. Raises ValueError for a pattern that is none."""
        before = document.get("before")
        return cls(
            rules=tuple(_rule(rule) for rule in document.get("rules", ())),
            before=None if before is None else _rule({"pattern": before}),
            takes_unknown=bool(document.get("takes_unknown", False)),
        )

    def parse(self, line: Line) -> Parsed | None:
        text, start, first = line.text, 0, None
        if self.before is not None:
            found = self.before.parse(text, 0)
            if found is not None:
                first, start = found
        for rule in self.rules:
            if rule.app_names and line.app_name not in rule.app_names:
                continue
            if text.startswith(rule.prefix, start):
                found = rule.parse(text, start)
                if found is not None:
                    return {**first, **found[0]} if first else found[0]
        return (first or {}) if self.takes_unknown else None


def _value(text: str, kind: str) -> Value | None:
    if kind == "int":
        return int(text)
    if kind == "seconds":
        return round(float(text) * 1000, 3)
    if kind == "ip":
        return ip_text(text)
    if kind == "mac":
        return mac_text(text)
    return text


def _rule(document: Mapping[str, Any]) -> Rule:
    written = document["pattern"]
    groups: list[tuple[str, str, str]] = []

    def place(match: re.Match[str]) -> str:
        kind = match[2] or "word"
        if kind not in KINDS:
            raise ValueError(f"pattern {written!r}: unknown kind {kind}")
        groups.append((f"p{len(groups)}", match[1], kind))
        return f"(?P<{groups[-1][0]}>{KINDS[kind]})"

    try:
        pattern = re.compile(_PLACE.sub(place, written), re.DOTALL)
    except re.error as error:
        raise ValueError(f"pattern {written!r}: {error}") from error
    return Rule(
        pattern=pattern,
        prefix=_prefix(written),
        groups=tuple((pattern.groupindex[g], name, kind) for g, name, kind in groups),
        fields={k: tuple(v) if isinstance(v, list) else v for k, v in document.get("set", {}).items()},
        app_names=frozenset(document.get("app_name", ())),
    )


def _prefix(written: str) -> str:
    """The literal beginning of a pattern; a character that a quantifier follows is not part of it."""
    match = _LITERAL.match(written)
    literal = match[0] if match else ""
    after = written[len(literal) : len(literal) + 1]
    if after in ("?", "*", "{", "+"):
        literal = literal[:-2] if literal[-2:-1] == "\\" else literal[:-1]
    return "" if "|" in written.split("(")[0] else re.sub(r"\\(.)", r"\1", literal)
