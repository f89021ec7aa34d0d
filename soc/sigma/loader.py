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
from soc.sigma.correlation_document import CorrelationError, correlation_of, in_order, resolved, span
from soc.sigma.errors import RuleError
from soc.sigma.expand import ExpandError, expanded
from soc.sigma.filter_document import Filter, FilterError, Filters, switched_off, unmet
from soc.sigma.rule import EPISODE_GAP, GROUP_BY, AnyRule, Correlation, LogSource, Origin, Refusal, Rule

LOG_SOURCES = Path(__file__).parent / "logsources.yaml"
_LOOK_CLOSER = re.compile(r"\|expand\b|^correlation:|^canh:|^filter:", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """Rules ready to match. `compiled` numbers them as `rules` does."""

    rules: tuple[Rule, ...]
    correlations: tuple[Correlation, ...]  # each after those it builds on
    refused: tuple[Refusal, ...]
    compiled: Compiled
    digest: str  # of everything that decides what matches
    filters: tuple[Filter, ...] = ()  # in force
    expired: tuple[Filter, ...] = ()  # not applied any more

    @property
    def all(self) -> tuple[AnyRule, ...]:
        return (*self.rules, *self.correlations)


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
) -> RuleSet:
    """Every *.yml below `folders`. pipelines: built-in names or paths of processing pipelines. Raises RuleError.

    today: tells expired filters, by default the day it is in UTC. bare_filters: take those without reason and expiry.
    """
    documents: list[_Document] = []
    filters = Filters(today or datetime.now(UTC).date(), bare_filters)
    correlations: list[Correlation] = []
    refused: list[Refusal] = []
    for path in _files(folders):
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            refused.append(Refusal(origin=Origin(path=path), reason=f"cannot be read: {error}"))
            continue
        if _LOOK_CLOSER.search(text):
            _read(path, text, placeholders, documents, correlations, filters, refused)
        else:
            documents.append(_Document(Origin(path=path), text, {}))
    return _compiled(documents, correlations, filters, refused, pipelines)


def log_sources() -> str:
    """The routing table as the engine takes it. Raises RuleError."""
    try:
        entries = yaml.load(LOG_SOURCES.read_text("utf-8"), _LOADER)  # noqa: S506
    except (OSError, yaml.YAMLError) as error:
        raise RuleError(f"the log source table cannot be read: {error}", where=LOG_SOURCES) from error
    shipped = [_renamed(entry, names) for names in _SHIPPERS for entry in entries if "Channel" in entry["when"]]
    return json.dumps(entries + shipped)


# What Windows' own names are called by those who ship its events as ECS.
_SHIPPERS = (
    {"Channel": "winlog.channel", "EventID": "winlog.event_id"},
    {"Channel": "winlog.channel", "EventID": "event.code"},
)


def _renamed(entry: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {"when": {names.get(field, field): values for field, values in entry["when"].items()}, "is": entry["is"]}


_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _files(folders: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for folder in folders:
        if folder.is_file():
            found.append(folder)
        elif folder.is_dir():
            inside = (p for p in folder.rglob("*.y*ml") if p.suffix in (".yml", ".yaml") and "tests" not in p.parts)
            found += sorted(inside)
        else:
            raise RuleError("there are no rules", where=folder, fix="name a folder of Sigma rules")
    return list(dict.fromkeys(found))  # of two rules with one id the one in the folder named first is used


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
        parts = [part for part in yaml.load_all(text, _LOADER) if part is not None]
    except yaml.YAMLError as error:
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


def _ours(written: object) -> Mapping[str, Any]:
    """The `canh:` key: title_vi, group-by, episode. Raises ExpandError."""
    if written is None:
        return {}
    known = {"title_vi", "group-by", "episode"}
    if not isinstance(written, dict) or not set(written) <= known:
        raise ExpandError(f"canh: only {', '.join(sorted(known))} are known here")
    if not isinstance(written.get("group-by", []), list):
        raise ExpandError("canh.group-by: a list of field names is expected")
    return written


def _compiled(
    documents: list[_Document],
    correlations: list[Correlation],
    filters: Filters,
    refused: list[Refusal],
    pipelines: Sequence[str],
) -> RuleSet:
    table = log_sources()
    texts = [p if "\n" in p or not Path(p).is_file() else Path(p).read_text("utf-8") for p in pipelines]
    try:
        compiled = Compiled([d.text for d in documents], table, texts)
    except ValueError as error:
        raise RuleError(
            f"the rules cannot be compiled: {error}", fix="check the pipeline and logsources.yaml"
        ) from error
    broken = {at for at, _ in compiled.refused}
    for at, reason in compiled.refused:
        origin = replace(documents[at].origin, line=_line_in(reason, documents[at]))
        refused.append(Refusal(origin=origin, reason=" ".join(reason.split())))
    rules: list[Rule] = []
    for number, text in enumerate(compiled.described):
        described = json.loads(text)
        rules.append(_rule(number, described, documents[described["document"]]))
    usable = [r for r in rules if json.loads(compiled.described[r.number])["document"] not in broken]
    usable, twice = _distinct(usable)
    refused += twice
    linked, unlinked = _linked(usable, correlations)
    refused += unlinked
    refused += unmet(filters.filters, usable, linked)
    silent = _silent(usable, linked) | switched_off(filters.filters, linked)
    rules_done = tuple(replace(r, alerts=r.id not in silent) for r in usable)
    correlations_done = tuple(replace(c, alerts=c.id not in silent) for c in linked)
    everything = [*(_digest(d.text, str(d.ours)) for d in documents), *(c.digest for c in correlations_done)]
    everything += [c.id for c in correlations_done if not c.alerts]
    digest = _digest(table, *texts, *sorted(everything))
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


def _distinct(rules: list[Rule]) -> tuple[list[Rule], list[Refusal]]:
    """The first rule of each id; a second one would share its alerts."""
    first: dict[str, Rule] = {}
    twice: list[Refusal] = []
    for rule in rules:
        known = first.setdefault(rule.id, rule)
        if known is not rule:
            twice.append(Refusal(origin=rule.origin, reason=f"its id {rule.id} is taken by {known.origin}"))
    return list(first.values()), twice


def _linked(rules: list[Rule], correlations: list[Correlation]) -> tuple[tuple[Correlation, ...], list[Refusal]]:
    """Correlations with the ids of what they refer to; one that refers to a refused one is refused too."""
    waiting, refused = list(correlations), []
    while True:
        everything: tuple[AnyRule, ...] = (*rules, *waiting)
        known = {name: r.id for r in everything for name in (r.title, r.name, r.id) if name}
        good, bad = [], []
        for correlation in waiting:
            try:
                good.append((correlation, resolved(correlation, known)))
            except CorrelationError as error:
                bad.append(Refusal(origin=correlation.origin, reason=str(error)))
        refused += bad
        if not bad:
            break
        waiting = [written for written, _ in good]
    ordered, circle = in_order(done for _, done in good)
    refused += [Refusal(origin=c.origin, reason="it refers to itself through other correlations") for c in circle]
    return ordered, refused


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
