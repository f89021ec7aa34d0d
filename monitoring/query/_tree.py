"""The tree of a query. Values are text as written, unescaped; what they mean depends on the field's type."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network


@dataclass(frozen=True, slots=True)
class Everything:
    """Matches every event."""


@dataclass(frozen=True, slots=True)
class Term:
    """The field has this value; a field of type text contains it."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Wildcard:
    """`parts` are literal pieces, with "*" and "?" between them as `Any` number or one character."""

    field: str  # "" for free text
    parts: tuple[str, ...]  # literals; "\0*" and "\0?" are the two wildcards


@dataclass(frozen=True, slots=True)
class Regex:
    """`pattern` is in the syntax both stores read (`_regex`), folded for text."""

    field: str  # "" for free text
    pattern: str
    from_start: bool  # the value begins with it
    to_end: bool


@dataclass(frozen=True, slots=True)
class Between:
    """A range; None is open at that end."""

    field: str
    low: str | None
    high: str | None
    has_low: bool  # `low` itself is in it
    has_high: bool


@dataclass(frozen=True, slots=True)
class Network:
    field: str
    network: IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Exists:
    field: str


@dataclass(frozen=True, slots=True)
class Text:
    """The message or the original line contains this, in any case."""

    words: str


@dataclass(frozen=True, slots=True)
class Not:
    node: Node


@dataclass(frozen=True, slots=True)
class All:
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Any:
    nodes: tuple[Node, ...]


Node = Everything | Term | Wildcard | Regex | Between | Network | Exists | Text | Not | All | Any
