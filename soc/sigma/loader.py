"""From rule files to a compiled `RuleSet`.

    soc_rules/<product>/<slug>/rule.yml      our own, one document a file
    any folder of *.yml                      a community set

A document that cannot be used is a `Refusal` with file, line and reason; the others go on. Files
that need nothing from Python (no placeholder, no correlation, no key of ours) go to the engine as
they are: thousands of community rules load in a second.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import yaml
from canh_native import RuleSet as Compiled

from soc.alert import Level
from soc.placeholders import Placeholders
from soc.sigma import tables
from soc.sigma.correlation_document import CorrelationError, correlation_of, span
from soc.sigma.errors import RuleError
from soc.sigma.expand import ExpandError, expanded
from soc.sigma.files import texts
from soc.sigma.filter_document import FilterError, Filters, switched_off, unmet
from soc.sigma.linking import Places, distinct, linked_of
from soc.sigma.rule import EPISODE_GAP, GROUP_BY, Correlation, LogSource, Origin, Refusal, Rule
from soc.sigma.rule_set import RuleSet, keep, key_of, restored
from soc.sigma.tables import LOADER

__all__ = ["RuleSet", "load"]

_LOOK_CLOSER = re.compile(r"\|expand\b|^correlation:|^canh:|^filter:", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Document:
    """A text for the engine and what Python knows of it."""

    origin: Origin
    text: str
    ours: Mapping[str, Any]  # the `canh:` key


def load(
    folders: Iterable[Path],
    placeholders: Placeholders,
    *,
    pipelines: Sequence[str] = (),
    today: date | None = None,
    bare_filters: bool = False,
    cached_in: Path | None = None,
    generated: Iterable[tuple[str, str]] = (),
) -> RuleSet:
    """Every *.yml below `folders`. pipelines: built-in names or paths of processing pipelines. Raises RuleError.

    today: tells expired filters, by default the day it is in UTC. bare_filters: take those without reason and expiry.
    cached_in: a folder of compiled rule sets; unchanged rules are then not read again.
    generated: rules that stand in no file, each with the name messages know it by (`soc.policy`).
    """
    today, places = today or datetime.now(UTC).date(), list(folders)
    mapped = [p if "\n" in p or not Path(p).is_file() else Path(p).read_text("utf-8") for p in pipelines]
    files = [*texts(places), *((name, text.encode()) for name, text in generated)]
    key = ""
    if cached_in is not None:
        key = key_of(files, placeholders, mapped, str(today) if bare_filters is False else "")
        if (kept := restored(cached_in, key)) is not None:
            return kept
    documents: list[_Document] = []
    filters = Filters(today, bare_filters)
    correlations: list[Correlation] = []
    refused: list[Refusal] = []
    for path, octets in files:
        try:
            text = octets.decode() if isinstance(octets, bytes) else ""
        except UnicodeDecodeError as error:
            octets = error
        if not isinstance(octets, bytes):
            refused.append(Refusal(origin=Origin(path=Path(path)), reason=f"cannot be read: {octets}"))
        elif _LOOK_CLOSER.search(text):
            _read(Path(path), text, placeholders, documents, correlations, filters, refused)
        else:
            documents.append(_Document(Origin(path=Path(path)), text, {}))
    order = {str(Path(path)): at for at, (path, _) in enumerate(files)}
    where = Places(tuple(f"{Path(place)}{os.sep}" for place in places), order)
    done = _compiled(documents, correlations, filters, refused, mapped, where, keep=cached_in is not None)
    if cached_in is not None:
        keep(cached_in, key, done)
    return done


def _read(
    path: Path,
    text: str,
    placeholders: Placeholders,
    documents: list[_Document],
    correlations: list[Correlation],
    filters: Filters,
    refused: list[Refusal],
) -> None:
    """One file that needs a closer look."""
    try:
        parts = [part for part in yaml.load_all(text, LOADER) if part is not None]
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a day that is none
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        reason = " ".join(str(getattr(error, "problem", None) or error).split())
        refused.append(Refusal(origin=Origin(path=path, line=line), reason=f"not YAML: {reason}"))
        return
    for part in parts:
        origin = Origin(path=path, line=_line_of(text, str(part.get("title", "")) if isinstance(part, dict) else ""))
        try:
            if not isinstance(part, dict):
                raise ExpandError("a mapping is expected")
            if _is_scheduled(part):
                filters.elsewhere.update(str(part[key]) for key in ("id", "name", "title") if part.get(key))
                continue  # for the store, not for the stream: soc.scheduled
            if "correlation" in part:
                ours = part.get("canh") or {}
                correlations.append(correlation_of(part, origin, _digest(text), str(ours.get("title_vi", ""))))
            elif "filter" not in part or filters.applies(part, origin):
                ours = part.pop("canh", None)
                ours = _ours(None if "filter" in part else ours)
                whole = expanded(part, placeholders)
                documents.append(_Document(origin, yaml.safe_dump(whole, allow_unicode=True, sort_keys=False), ours))
        except (ExpandError, CorrelationError, FilterError) as error:
            refused.append(Refusal(origin=replace(origin, line=_line_about(text, str(error))), reason=str(error)))
        except Exception as error:  # what one document is made of must not take all others away
            refused.append(Refusal(origin=origin, reason=f"it is not written as a rule: {error}"))


def _is_scheduled(part: Mapping[str, Any]) -> bool:
    ours = part.get("canh")
    return isinstance(ours, Mapping) and "scheduled" in ours


def _ours(written: object) -> Mapping[str, Any]:
    """The `canh:` key: title_vi, group-by, episode. Raises ExpandError, CorrelationError."""
    if written is None:
        return {}
    known = {"title_vi", "group-by", "episode"}
    if not isinstance(written, dict) or not set(written) <= known:
        raise ExpandError(f"canh: only {', '.join(sorted(known))} are known here")
    names = written.get("group-by", [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ExpandError("canh.group-by: a list of field names is expected")
    if "episode" in written:
        span(str(written["episode"]))
    return written


def _compiled(
    documents: list[_Document],
    correlations: list[Correlation],
    filters: Filters,
    refused: list[Refusal],
    pipelines: Sequence[str],
    places: Places,
    *,
    keep: bool,
) -> RuleSet:
    table, named = tables.log_sources(), tables.fields()
    try:
        compiled = Compiled([d.text for d in documents], table, pipelines, named, keep)
    except ValueError as error:
        raise RuleError(
            f"the rules cannot be compiled: {error}", fix="check the pipeline, logsources.yaml and fields.yaml"
        ) from error
    broken = {at for at, _ in compiled.refused}
    for at, reason in compiled.refused:
        origin = replace(documents[at].origin, line=_line_in(reason, documents[at]))
        refused.append(Refusal(origin=origin, reason=" ".join(reason.split())))
    read = [
        _rule(number, said, documents[said["document"]])
        for number, said in enumerate(json.loads(compiled.described))
        if said["document"] not in broken
    ]
    first, twice = distinct(sorted((*read, *correlations), key=places.order_of))
    refused += twice
    usable = [rule for rule in first if isinstance(rule, Rule)]
    linked, unlinked = linked_of(usable, [rule for rule in first if isinstance(rule, Correlation)], places)
    refused += unlinked
    refused += unmet(filters.filters, usable, linked, filters.elsewhere)
    silent = _silent(usable, linked) | switched_off(filters.filters, linked)
    rules_done = tuple(replace(r, alerts=r.id not in silent) for r in usable)
    correlations_done = tuple(replace(c, alerts=c.id not in silent) for c in linked)
    everything = [*(_digest(d.text, str(d.ours)) for d in documents), *(c.state for c in correlations_done)]
    everything += [c.id for c in correlations_done if not c.alerts]
    digest = _digest(table, named, *pipelines, *sorted(everything))
    return RuleSet(
        rules=rules_done,
        correlations=correlations_done,
        refused=tuple(sorted(set(refused), key=lambda r: (str(r.origin.path), r.origin.line))),
        compiled=compiled,
        digest=digest,
        filters=tuple(filters.filters),
        expired=tuple(filters.expired),
    )


def _rule(number: int, described: Mapping[str, Any], document: _Document) -> Rule:
    digest = _digest(document.text, json.dumps(document.ours, sort_keys=True))
    return Rule(
        number=number,
        id=described["id"] or described["name"] or described["title"],
        name=described["name"] or "",
        title=described["title"],
        title_vi=str(document.ours.get("title_vi", "")),
        level=Level(described["level"] or "medium"),
        tags=tuple(described["tags"]),
        logsource=LogSource(
            product=described["product"] or "",
            category=described["category"] or "",
            service=described["service"] or "",
        ),
        origin=document.origin,
        digest=digest,
        group_by=tuple(document.ours.get("group-by", GROUP_BY)),
        gap=span(str(document.ours["episode"])) if "episode" in document.ours else EPISODE_GAP,
    )


def _silent(rules: Iterable[Rule], correlations: Iterable[Correlation]) -> frozenset[str]:
    """Rules that only feed: named by a correlation and by none that says `generate: true`, or only informational."""
    correlations = tuple(correlations)
    named = {rule for c in correlations for rule in c.rules}
    loud = {rule for c in correlations if c.generate for rule in c.rules}
    return frozenset(named - (loud - {r.id for r in rules if r.level is Level.INFORMATIONAL}))


def _line_of(text: str, title: str) -> int:
    return text[: text.find(title)].count("\n") + 1 if title and title in text else 1


def _line_about(text: str, reason: str) -> int:
    """The line a reason speaks about: that of the placeholder or key it names, else of the conditions."""
    for word in re.findall(r"%\w+%|^[\w.|-]+(?=:)", reason):
        last = word.rsplit(".", 1)[-1]
        if last in text:
            return text[: text.find(last)].count("\n") + 1
    return _line_in(reason, _Document(Origin(path=Path()), text, {}))


def _line_in(reason: str, document: _Document) -> int:
    said = re.search(r"line (\d+)", reason)
    if said:
        return int(said[1])
    found = re.search(r"^(detection|correlation|filter):", document.text, re.MULTILINE)
    return document.text[: found.start()].count("\n") + 1 if found else 1


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:32]
