"""What a library sees: which parsers' events can raise each rule, which techniques are looked for, what is not.

A parser can raise a rule when an event of its golden cases is of the rule's log source and does one of the things
(`event.action`) the rule names; a rule's own hit cases prove it for the parsers of their lines.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import yaml

from inventory.model import Platform, Province
from soc.rulesets._sources import covers, golden_events, sources_of_event
from soc.sigma import AnyRule, Correlation, LogSource, RuleSet
from soc.sigma.attack import attack, techniques_of
from soc.sigma.library import CaseError, Folder, Scene, single
from soc.sigma.library import folders as folders_of

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PATTERNS = {"contains": "*{}*", "startswith": "{}*", "endswith": "*{}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One rule of the library and what can raise it."""

    folder: Folder
    logsources: tuple[str, ...]  # of a correlation: of what it counts
    proven: tuple[str, ...]  # parsers of the lines of its hit cases
    possible: tuple[str, ...]  # parsers whose golden cases say it could, the proven ones too
    techniques: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """Of a whole library."""

    rules: tuple[Seen, ...]
    unnamed_actions: Mapping[str, int]  # what parsers tell and no rule names -> how many parsers

    def by_technique(self) -> dict[str, int]:
        return _counts(technique for seen in self.rules for technique in seen.techniques)

    def by_logsource(self) -> dict[str, int]:
        return _counts(source for seen in self.rules for source in seen.logsources)

    def by_parser(self) -> dict[str, tuple[int, int]]:
        """Rules proven and possible, of every parser that has golden cases."""
        proven = _counts(name for seen in self.rules for name in seen.proven)
        possible = _counts(name for seen in self.rules for name in seen.possible)
        return {name: (proven.get(name, 0), possible.get(name, 0)) for name in sorted({*golden_events(), *possible})}

    def by_tactic(self) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
        """Techniques looked for and those that are not, without sub-techniques, by tactic in the matrix's order."""
        table, found = attack(), set(self.by_technique())
        parents = found | {technique.split(".")[0] for technique in found}
        told: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
        for tactic in table.tactics:
            mine = [key for key, (_, tactics) in table.techniques.items() if tactic in tactics and "." not in key]
            told[tactic] = tuple(k for k in mine if k in parents), tuple(k for k in mine if k not in parents)
        return told


def coverage(rules: RuleSet, libraries: Sequence[Path], province: Province, more: Iterable[Folder] = ()) -> Coverage:
    """Of the rules in folders of `libraries`; runs their hit cases through the parsers. more: as for `findings`."""
    every = (*folders_of(rules), *more)
    own = single(f for f in every if any(f.path.is_relative_to(library) for library in libraries))
    made = _made()
    by_id = {folder.rule.id: folder.rule for folder in own}
    needs = {rule.id: _needs(rule) for rule in by_id.values() if not isinstance(rule, Correlation)}
    possible = {rule_id: _possible(needed, made) for rule_id, needed in needs.items()}
    proven = _proven(own, province)
    seen = []
    for folder in own:
        base = [rule_id for rule_id in _counted(folder.rule, by_id) if rule_id in needs]
        sure = proven.get(folder.rule.id, frozenset())
        seen.append(
            Seen(
                folder=folder,
                logsources=tuple(sorted({_said(needs[rule_id].logsource) for rule_id in base})),
                proven=tuple(sorted(sure)),
                possible=tuple(sorted(sure.union(*(possible[rule_id] for rule_id in base)))),
                techniques=techniques_of(folder.rule.tags),
            )
        )
    named = {action for needed in needs.values() for action in needed.actions}
    told: dict[str, set[str]] = defaultdict(set)
    for name, events in made.items():
        for _, action in events:
            if action and not any(fnmatchcase(action, pattern) for pattern in named):
                told[action].add(name)
    return Coverage(rules=tuple(seen), unnamed_actions={a: len(names) for a, names in sorted(told.items())})


class _Needs(NamedTuple):
    """What an event must be for a rule to look at it: its log source, and patterns of event.action, if it asks any."""

    logsource: LogSource
    actions: frozenset[str]


def _needs(rule: AnyRule) -> _Needs:
    document = yaml.load(rule.origin.path.read_text("utf-8"), _LOADER)  # noqa: S506
    said = document.get("logsource") or {}
    source = LogSource(**{key: str(said.get(key) or "") for key in ("product", "category", "service")})
    return _Needs(source, frozenset(_action_patterns(document.get("detection", {}))))


def _made() -> dict[str, frozenset[tuple[LogSource, str]]]:
    """What each parser makes, as pairs of log source and action."""
    found: dict[str, frozenset[tuple[LogSource, str]]] = {}
    for name, events in golden_events().items():
        # What only the inventory can add: the platform, for rules on products.
        beside = {"canh.platform": Platform.DEBIAN.value} if name.startswith("linux_") else {}
        beside |= {"canh.platform": Platform.FRR.value} if name == "frr" else {}
        pairs = {
            (source, str(event.get("event.action", "")))
            for event in events
            for source in sources_of_event({**event, **beside, "canh.receiver": "any"})
        }
        found[name] = frozenset(pairs)
    return found


def _possible(needed: _Needs, made: Mapping[str, frozenset[tuple[LogSource, str]]]) -> frozenset[str]:
    source, patterns = needed
    if not patterns and source.category == "syslog-source":
        return frozenset()  # everything that is received; saying all parsers would say nothing
    return frozenset(
        name
        for name, pairs in made.items()
        if any(
            covers(source, there) and (not patterns or any(fnmatchcase(action, p) for p in patterns))
            for there, action in pairs
        )
    )


def _action_patterns(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _action_patterns(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            field, *modifiers = str(key).split("|")
            if field == "event.action":
                pattern = next((_PATTERNS[m] for m in modifiers if m in _PATTERNS), "{}")
                yield from (pattern.format(one) for one in (value if isinstance(value, list) else [value]))
            else:
                yield from _action_patterns(value)


def _counted(rule: AnyRule, by_id: Mapping[str, AnyRule]) -> Iterator[str]:
    """Ids of the rules that look at events."""
    if isinstance(rule, Correlation):
        for fed in rule.rules:
            if fed in by_id:
                yield from _counted(by_id[fed], by_id)
    else:
        yield rule.id


def _proven(own: Iterable[Folder], province: Province) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    with TemporaryDirectory(prefix="canh-coverage-") as place:
        for number, folder in enumerate(own):
            parsers: set[str] = set()
            for case in folder.cases:
                if ".hit" not in case.suffixes:
                    continue
                try:
                    events = Scene(case, province, Path(place) / f"{number}-{case.name}").events()
                except CaseError:
                    continue  # `canh rules test` tells
                parsers |= {event.text("canh.parser") for event in events} - {""}
            found[folder.rule.id] = frozenset(parsers)
    return found


def _said(source: LogSource) -> str:
    return "/".join(part for part in (source.product, source.category, source.service) if part) or "any"


def _counts(names: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for name in names:
        found[name] += 1
    return dict(sorted(found.items()))
