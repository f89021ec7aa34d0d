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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from typing import Any

from monitoring.event import Value
from monitoring.parsers._line import Line, Parsed

KINDS = {
    "word": r"\S+",
    "text": r".*?",  # as little as fits
    "rest": r".*",
    "int": r"\d{1,18}",
    "ip": r"[0-9A-Fa-f:.]+(?:%[\w.-]+)?",
    "mac": r"[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}",
    "quoted": r"[^\"]*",
}
_PLACE = re.compile(r"(?<!\\)(?<!\()(?<!\?)<([a-z@][\w.@-]*)(?::(\w+))?>")
_LITERAL = re.compile(r"(?:[^\\.^$*+?{}\[\]|()<]|\\[^\w\s])*")
_PREFIX = 8  # characters compared before a pattern is tried


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    pattern: re.Pattern[str]
    prefix: str  # literal beginning, "" when the pattern begins with something variable
    groups: tuple[tuple[int, str, str], ...]  # (number of the group, field, kind)
    fields: Mapping[str, Value]
    app_names: frozenset[str]  # only for these programs; empty: any

    def parse(self, line: Line) -> Parsed | None:
        match = self.pattern.match(line.text)
        if match is None:
            return None
        parsed = dict(self.fields)
        for group, name, kind in self.groups:
            text = match[group]
            if text and text != "-":
                value = _value(text, kind)
                if value is not None:
                    parsed[name] = value
        return parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """The rules of one parser, in order. `takes_unknown`: a message no rule fits is still its own."""

    rules: Sequence[Rule]
    takes_unknown: bool = False

    @classmethod
    def of(cls, documents: Iterable[Mapping[str, Any]], *, takes_unknown: bool = False) -> RuleSet:
        """Compiled once. Raises ValueError for a pattern that is none."""
        return cls(rules=tuple(_rule(d) for d in documents), takes_unknown=takes_unknown)

    def parse(self, line: Line) -> Parsed | None:
        text = line.text
        for rule in self.rules:
            if rule.app_names and line.app_name not in rule.app_names:
                continue
            if text.startswith(rule.prefix):
                parsed = rule.parse(line)
                if parsed is not None:
                    return parsed
        return {} if self.takes_unknown else None


@lru_cache(maxsize=65536)
def ip_text(text: str) -> str | None:
    """An address in its usual form (no zone, IPv4 where it is one); None when it is no address."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def mac_text(text: str) -> str:
    """A MAC address as ECS wants it: 00-00-5E-00-53-23."""
    return text.replace(":", "-").upper()


def _value(text: str, kind: str) -> Value | None:
    if kind == "int":
        return int(text)
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
