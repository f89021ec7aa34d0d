"""MITRE ATT&CK as rules name it: `attack.yaml`, one pinned version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

_TABLE = Path(__file__).parent / "attack.yaml"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PREFIX = "attack."


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """Techniques by id (T1110.001), tactics by name, in the order of the matrix."""

    version: int
    tactics: Mapping[str, tuple[str, str]]  # English, Vietnamese
    techniques: Mapping[str, tuple[str, tuple[str, ...]]]  # name, tactics
    revoked: Mapping[str, str]  # the technique that took its place


@cache
def attack() -> Attack:
    document = yaml.load(_TABLE.read_text("utf-8"), _LOADER)  # noqa: S506
    return Attack(
        version=document["version"],
        tactics={name: (english, vietnamese) for name, (english, vietnamese) in document["tactics"].items()},
        techniques={key: (name, tuple(tactics)) for key, (name, *tactics) in document["techniques"].items()},
        revoked=document["revoked"],
    )


def techniques_of(tags: Iterable[str]) -> tuple[str, ...]:
    """The techniques that tags name: attack.t1110.001 is T1110.001."""
    return tuple(tag.removeprefix(_PREFIX).upper() for tag in tags if tag[: len(_PREFIX) + 1] == f"{_PREFIX}t")


def strange_tags(tags: Iterable[str]) -> Iterator[str]:
    """What is wrong with tags of ATT&CK, one sentence each."""
    table = attack()
    for tag in tags:
        name = tag.removeprefix(_PREFIX)
        if name == tag or (name[:1] in "gs" and name[1:].isdigit()):  # other namespaces; groups and software
            continue
        technique = name.upper()
        if technique in table.revoked:
            yield f"{tag} was revoked: version {table.version} has attack.{table.revoked[technique].lower()}"
        elif technique not in table.techniques and name not in table.tactics:
            yield f"{tag} is no technique or tactic of ATT&CK {table.version}"
