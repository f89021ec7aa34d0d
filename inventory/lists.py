"""Lists a province keeps by hand: accounts, addresses, domains that nothing else in the inventory tells.

Each has an owner, a reason and the day somebody last looked at it, because lists rot: people leave, units
merge. Which lists there are and what they hold is the table `list_names.yaml`. A missing list is empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path

import yaml

_TABLE = Path(__file__).with_name("list_names.yaml")
FRESH = timedelta(days=30)  # a list nobody has looked at for longer is remarked on


class ListKind(StrEnum):
    ACCOUNT = "account"
    ADDRESS = "address"
    PREFIX = "prefix"
    MAC = "mac"
    DOMAIN = "domain"
    NAME = "name"
    NUMBER = "number"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListName:
    """One list there may be."""

    kind: ListKind
    about: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedList:
    """What a province wrote. `values` are texts in the canonical form of the list's kind."""

    name: str
    values: tuple[str, ...]
    checked: date
    owner: str
    reason: str

    def is_stale(self, today: date) -> bool:
        return today - self.checked > FRESH


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundAccount:
    """A service's account that is tied to hosts, and perhaps to hours: a program does not move, and keeps its times."""

    name: str
    hosts: tuple[IPv4Network | IPv6Network, ...]
    hours: tuple[int, int] | None  # local [from, to), over midnight when from > to; None: at any
    checked: date
    owner: str
    reason: str


@cache
def known_lists() -> Mapping[str, ListName]:
    """Every list a province may keep, by name."""
    table = yaml.safe_load(_TABLE.read_text("utf-8"))
    return {name: ListName(kind=ListKind(row["kind"]), about=row["about"]) for name, row in table.items()}


def value_of(kind: ListKind, written: str) -> str:
    """A value as rules compare it. Raises ValueError ("what it is: how to write it") when it is none of its kind."""
    return _READERS[kind](written)


def _text(written: str) -> str:
    if not written or len(written) > 200:
        raise ValueError("a value has 1 to 200 letters: a shorter one")
    if any(c in "*?%" or not c.isprintable() for c in written):
        raise ValueError(f"{written!r} holds a pattern: the exact value, without *, ? and %")
    return written


def _address(written: str) -> str:
    try:
        return str(ip_address(written))
    except ValueError:
        raise ValueError(f'"{written}" is not an address: text like 10.1.0.1') from None


def _prefix(written: str) -> str:
    try:
        return str(ip_network(written))
    except ValueError:
        raise ValueError(f'"{written}" is not a prefix: text like 10.1.0.0/24, host bits 0') from None


def _mac(written: str) -> str:
    octets = re.fullmatch(r"[0-9a-f]{12}", re.sub(r"[-:.]", "", written.lower()))
    if octets is None:
        raise ValueError(f'"{written}" is not a hardware address: text like 00-00-5E-00-01-0A')
    ours = "-".join(octets[0][at : at + 2] for at in range(0, 12, 2)).upper()
    if written != ours:
        raise ValueError(f'"{written}" is not as events have it: {ours}')
    return ours


def _domain(written: str) -> str:
    if not re.fullmatch(r"(?=.{1,253}$)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*", written):
        raise ValueError(f'"{written}" is not a domain: lower-case text like thanhhoa.gov.vn, without a dot in front')
    return written


def _number(written: str) -> str:
    if not re.fullmatch(r"\+?[0-9]{1,20}", written):
        raise ValueError(f'"{written}" is not a number: digits in quotes, like "0084"')
    return written


_READERS: Mapping[ListKind, Callable[[str], str]] = {
    ListKind.ACCOUNT: _text,
    ListKind.ADDRESS: _address,
    ListKind.PREFIX: _prefix,
    ListKind.MAC: _mac,
    ListKind.DOMAIN: _domain,
    ListKind.NAME: _text,
    ListKind.NUMBER: _number,
}
