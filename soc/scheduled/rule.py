"""A scheduled rule: what a stream cannot say, asked of the store now and then.

    canh:
        scheduled:
            kind: first_seen          # a value of `field` that its group did not show in `over`
                  rare                # ... that it showed at most `at_most` times in `over`
                  absent              # nothing of the group for `silent_for`
                  fell                # an hour with less than `below_pct` of what the same hour of the week had
            field: user.name          # first_seen, rare
            group-by: [host.name]
            every: 1h                 # how often it is asked
            over: 30d                 # what it looks back at
            learn: 7d                 # a group known for less is not judged

The detection is plain Sigma of the kinds a store can be asked for (`soc.scheduled.condition`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from monitoring import ecs
from monitoring.query import Node
from soc.alert import Level
from soc.placeholders import Placeholders
from soc.scheduled.condition import ConditionError, node_of
from soc.sigma.correlation_document import CorrelationError, span
from soc.sigma.expand import ExpandError, expanded
from soc.sigma.rule import AnyRule, Origin, Refusal
from soc.sigma.tables import LOADER

KEY = "scheduled"
MOST_BACK = timedelta(days=92)


class Kind(StrEnum):
    FIRST_SEEN = "first_seen"
    RARE = "rare"
    ABSENT = "absent"
    FELL = "fell"


_NEEDS_FIELD = frozenset({Kind.FIRST_SEEN, Kind.RARE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled(AnyRule):
    """`node` chooses the events; the rest says how they are judged."""

    kind: Kind
    node: Node
    field: str
    group_by: tuple[str, ...]
    every: timedelta
    over: timedelta
    learn: timedelta
    silent_for: timedelta
    at_most: int
    below_pct: int
    at_least: int  # fell: events an hour usually has at least; fewer say nothing when they fall
    most: int  # alerts one run raises; what is more is one alert that counts them

    @property
    def fields(self) -> tuple[str, ...]:
        """What is counted by: the group, then the value."""
        return (*self.group_by, self.field) if self.field else self.group_by


class _Doc(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    kind: Kind = Field(strict=False)
    field: str = ""
    group_by: list[str] = Field(alias="group-by", min_length=1, max_length=4)
    every: str = "1h"
    over: str = "30d"
    learn: str = "7d"
    silent_for: str = ""
    at_most: int = Field(default=3, ge=1, le=1000)
    below_pct: int = Field(default=20, ge=1, le=99)
    at_least: int = Field(default=100, ge=1)
    most: int = Field(default=20, ge=1, le=1000)


class ScheduleError(ValueError):
    """Why a scheduled rule is refused; the caller adds where."""


def is_scheduled(document: object) -> bool:
    """Whether a Sigma document is none for the stream."""
    ours = document.get("canh") if isinstance(document, Mapping) else None
    return isinstance(ours, Mapping) and KEY in ours


def load(folders: Iterable[Path], placeholders: Placeholders) -> tuple[tuple[Scheduled, ...], tuple[Refusal, ...]]:
    """The scheduled rules of libraries (`<folder>/**/rule.yml`), and what of them cannot be used."""
    return read(sorted(path for folder in folders for path in folder.rglob("rule.yml")), placeholders)


def read(files: Iterable[Path], placeholders: Placeholders) -> tuple[tuple[Scheduled, ...], tuple[Refusal, ...]]:
    """The scheduled rules of rule files, and what of them cannot be used."""
    rules: dict[str, Scheduled] = {}
    refused: list[Refusal] = []
    for path in files:
        try:
            text = path.read_text("utf-8")
            documents = list(yaml.load_all(text, LOADER)) if f"{KEY}:" in text else []
        except (OSError, ValueError, RecursionError, yaml.YAMLError):
            continue  # told by the loader of the stream's rules, which reads every file
        for document in filter(is_scheduled, documents):
            try:
                rule = scheduled_of(document, Origin(path=path), text, placeholders)
            except ScheduleError as error:
                refused.append(Refusal(origin=Origin(path=path), reason=str(error)))
                continue
            except Exception as error:  # what one document is made of must not take all others away
                refused.append(Refusal(origin=Origin(path=path), reason=f"it is not written as a rule: {error}"))
                continue
            rules.setdefault(rule.id, rule)
    return tuple(rules.values()), tuple(refused)


def scheduled_of(document: Mapping[str, Any], origin: Origin, text: str, placeholders: Placeholders) -> Scheduled:
    """A document as a rule. Raises ScheduleError."""
    ours = document["canh"]
    try:
        says = _Doc.model_validate(ours[KEY])
        whole = expanded({**document}, placeholders)
        node = node_of(whole.get("detection") or {}, whole.get("logsource") or {})
        level = Level(str(document.get("level", "medium")))
        spans = {name: span(getattr(says, name)) for name in ("every", "over", "learn")}
        silent_for = span(says.silent_for) if says.silent_for else timedelta()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ScheduleError(f"canh.{KEY}.{where}: {first['msg']}") from error
    except (ExpandError, ConditionError, CorrelationError, ValueError) as error:
        raise ScheduleError(str(error)) from error
    if (says.kind in _NEEDS_FIELD) != bool(says.field):
        which = "needs" if says.kind in _NEEDS_FIELD else "takes no"
        raise ScheduleError(f"canh.{KEY}.field: {says.kind} {which} field")
    for name in (*says.group_by, *filter(None, [says.field])):
        if ecs.field_type(name).kind == "text":
            raise ScheduleError(f"canh.{KEY}: {name} is running text: nothing is counted by it")
    if (says.kind is Kind.ABSENT) != bool(silent_for):
        raise ScheduleError(f"canh.{KEY}.silent_for: for {Kind.ABSENT}, and only for it, how long nothing may come")
    if not timedelta(minutes=1) <= spans["every"] <= timedelta(days=7):
        raise ScheduleError(f"canh.{KEY}.every: from 1m to 7d")
    if not spans["learn"] < spans["over"] <= MOST_BACK or silent_for >= spans["over"]:
        raise ScheduleError(f"canh.{KEY}.over: more than learn and silent_for, at most {MOST_BACK.days}d")
    if not document.get("id") or not document.get("title"):
        raise ScheduleError("id and title are needed")
    return Scheduled(
        id=str(document["id"]),
        name=str(document.get("name") or ""),
        title=str(document["title"]),
        title_vi=str(ours.get("title_vi") or ""),
        level=level,
        tags=tuple(str(tag) for tag in document.get("tags") or ()),
        origin=origin,
        digest=hashlib.sha256(f"{text}\0{node}".encode()).hexdigest()[:32],
        kind=says.kind,
        node=node,
        field=says.field,
        group_by=tuple(says.group_by),
        every=spans["every"],
        over=spans["over"],
        learn=spans["learn"],
        silent_for=silent_for,
        at_most=says.at_most,
        below_pct=says.below_pct,
        at_least=says.at_least,
        most=says.most,
    )
