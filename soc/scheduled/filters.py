"""Filters on scheduled rules: the same files as for the stream's (`<province>/rules/filters/`), put into the question.

A filter that cannot be put to a store refuses the rule it names: asked without it, the rule would tell what somebody
decided not to be told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml

from monitoring.query import All
from soc.placeholders import Placeholders
from soc.scheduled import rule as written
from soc.scheduled.condition import node_of
from soc.scheduled.rule import Scheduled
from soc.sigma.expand import expanded
from soc.sigma.filter_document import Filter, filter_of
from soc.sigma.rule import Origin, Refusal
from soc.sigma.tables import LOADER

FOLDER = "filters"


def load(
    folders: Iterable[Path], placeholders: Placeholders, today: date | None = None
) -> tuple[tuple[Scheduled, ...], tuple[Refusal, ...]]:
    """The scheduled rules of libraries, with the filters that are in force, and what cannot be used."""
    places = tuple(folders)
    rules, refused = written.load(places, placeholders)
    done, more = filtered(rules, in_force(files(places), today or datetime.now(UTC).date()), placeholders)
    return done, (*refused, *more)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A filter in force and the document it was read from."""

    said: Filter
    document: Mapping[str, Any]


def files(folders: Iterable[Path]) -> tuple[Path, ...]:
    """Where the filters of rule folders stand."""
    return tuple(sorted(path for folder in folders for path in (folder / FOLDER).glob("*.y*ml")))


def in_force(paths: Iterable[Path], today: date) -> tuple[Written, ...]:
    """The filters in these files. One that cannot be used is told by the loader of the stream's rules."""
    found = []
    for path in paths:
        try:
            documents = [d for d in yaml.load_all(path.read_text("utf-8"), LOADER) if isinstance(d, dict)]
        except (OSError, ValueError, RecursionError, yaml.YAMLError):  # ValueError: a day that is none
            continue
        for document in documents:
            try:
                said = filter_of(document, Origin(path=path), today)
            except Exception:  # noqa: S112 - told by the loader; one document must not take all others away
                continue
            if not said.is_expired(today):
                found.append(Written(said=said, document=document))
    return tuple(found)


def filtered(
    rules: Iterable[Scheduled], filters: Iterable[Written], placeholders: Placeholders
) -> tuple[tuple[Scheduled, ...], tuple[Refusal, ...]]:
    """The rules with their filters; one that is switched off stays, and alerts no more."""
    done: list[Scheduled] = []
    refused: list[Refusal] = []
    filters = tuple(filters)
    for rule in rules:
        mine = [one for one in filters if {rule.id, rule.name, rule.title} & set(one.said.rules)]
        try:
            done.append(_with(rule, mine, placeholders))
        except Exception as error:  # what one filter is made of must not take all rules away
            names = ", ".join(str(one.said.origin) for one in mine)
            refused.append(Refusal(origin=rule.origin, reason=f"a filter on it cannot be asked for ({names}): {error}"))
    return tuple(done), tuple(refused)


def _with(rule: Scheduled, filters: Iterable[Written], placeholders: Placeholders) -> Scheduled:
    nodes = [rule.node]
    is_off = False
    for one in filters:
        is_off |= one.said.disables
        section = expanded(dict(one.document), placeholders)["filter"]
        nodes.append(node_of({name: value for name, value in section.items() if name != "rules"}, {}))
    if len(nodes) == 1:
        return rule
    node = All(tuple(nodes))
    # What was counted without a filter is not what is counted with it: another digest starts anew.
    digest = hashlib.sha256(f"{rule.digest} {node}".encode()).hexdigest()[:32]
    return replace(rule, node=node, digest=digest, alerts=not is_off)
