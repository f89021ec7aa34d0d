"""Names for OIDs and words for enumerations, from `names.yaml`; nothing is asked of the network.

One arc more or less is forgiven for traps: many MIBs define them without the `.0.` that
RFC 2576 puts before the last arc, and senders do either.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import yaml


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """An object of a MIB: its name, and what its numbers or octets mean."""

    name: str
    oid: str
    labels: Mapping[int, str]
    is_octets: bool = False  # never text: a hardware address


@dataclass(frozen=True, slots=True, kw_only=True)
class _Names:
    objects: Mapping[str, Object]
    traps: Mapping[str, str]


@lru_cache(maxsize=4096)
def object_of(oid: str) -> tuple[Object, str] | None:
    """The object an instance belongs to and the instance's index; None when unknown."""
    known = _names().objects
    head, index = oid, ""
    while head:
        if (found := known.get(head)) is not None:
            return found, index
        head, _, arc = head.rpartition(".")
        index = f"{arc}.{index}" if index else arc
    return None


@lru_cache(maxsize=4096)
def trap_name(oid: str) -> str:
    """The name of a notification, the OID itself when it is unknown."""
    known = _names().traps
    parent, _, last = oid.rpartition(".")
    other = f"{parent[:-2]}.{last}" if parent.endswith(".0") else f"{parent}.0.{last}"
    return known.get(oid) or known.get(other) or oid


@cache
def _names() -> _Names:
    document = yaml.safe_load(Path(__file__).with_name("names.yaml").read_text(encoding="utf-8"))
    enumerations = document["enumerations"]
    objects = {}
    for oid, text in document["objects"].items():
        name, _, more = str(text).partition(" ")
        labels = enumerations.get(more, {})
        objects[oid] = Object(name=name, oid=oid, labels=labels, is_octets=more == "octets")
    return _Names(objects=objects, traps=document["traps"])
