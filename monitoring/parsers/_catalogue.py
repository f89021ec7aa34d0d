"""Messages by their names, as data: what `<folder>/messages.yaml` says a message of a module and mnemonic means.

    messages: {SHELL/LOGIN: {event.action: login, ...}, "SHELL/*": {...}, "*": {...}}
    keys: {source.ip: ip ipaddress, ...}   # the sender's keys by field, of two the first goes before

A name may end in `*`; the longest that fits counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from monitoring.event import Value
from monitoring.parsers._fields import Fields, put

_MOST_NAMES = 8192


class Catalogue:
    """Read once; a name is looked for once."""

    def __init__(self, folder: Path) -> None:
        document: Mapping[str, Any] = yaml.load((folder / "messages.yaml").read_text("utf-8"), Loader=yaml.CSafeLoader)
        self._messages = {
            name: {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
            for name, fields in document["messages"].items()
        }
        self._shapes = sorted((name for name in self._messages if "*" in name), key=lambda name: -len(name))
        # What is put last stays, so the key that goes before comes last.
        self._keys = tuple((key, name) for name, keys in document["keys"].items() for key in reversed(keys.split()))
        self._found: dict[str, Mapping[str, Value]] = {}

    def meaning(self, name: str) -> Mapping[str, Value]:
        """The fields of a message; those of "*" when nothing else fits."""
        found = self._found.get(name)
        if found is None:
            found = self._messages.get(name) or self._messages[next(s for s in self._shapes if fnmatchcase(name, s))]
            if len(self._found) < _MOST_NAMES:
                self._found[name] = found
        return found

    def add_keys(self, fields: Fields, pairs: Mapping[str, str]) -> None:
        """Put the values of pairs (keys as `plain` writes them) into their fields."""
        for key, name in self._keys:
            value = pairs.get(key)
            if value is not None:
                put(fields, name, value)


@cache
def catalogue_of(folder: Path) -> Catalogue:
    return Catalogue(folder)


def plain(key: str) -> str:
    """A key by its letters and digits only."""
    return re.sub(r"[^a-z0-9]", "", key.lower())
