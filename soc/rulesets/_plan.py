"""Which rules a replay looks at: those that change, what they count and what counts them.

A filter or a new rule is held against a rule set of its own, before and after, so that three thousand
community rules need not be matched to see what one does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

import yaml

from soc.placeholders import Placeholders
from soc.rulesets._asked import Pair, ScheduledRules
from soc.rulesets._reach import reach_of
from soc.scheduled import is_scheduled
from soc.sigma import AnyRule, Correlation, RuleSet, load
from soc.sigma.errors import RuleError
from soc.sigma.rule import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Two rule sets, and the rules to be told of."""

    before: RuleSet
    after: RuleSet
    told: tuple[AnyRule, ...]  # as they are after, else before; in order of title
    is_change: bool  # False: the rules as they are
    refused: tuple[Refusal, ...] = ()  # of several new ones, those that cannot be used
    asked: tuple[Pair, ...] = ()  # the scheduled rules to be told of

    @property
    def reach(self) -> str:
        """A query for every stored event that can matter."""
        return reach_of((*self.before.rules, *self.after.rules))


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """Everything detection loads, and how to load parts of it."""

    rules: RuleSet
    placeholders: Placeholders
    generated: tuple[tuple[str, str], ...] = ()  # rules that stand in no file: the path they go by, and their text
    today: date | None = None
    scheduled: ScheduledRules = field(default_factory=ScheduledRules)

    def named(self, name: str) -> AnyRule:
        """A rule by id, name, title or folder. Raises RuleError."""
        everything = (*self.rules.all, *self.scheduled.written)
        fits = [r for r in everything if name in (r.id, r.name, r.title)]
        fits = fits or [r for r in everything if r.origin.path.parent.name == name]
        if len(fits) == 1:
            return fits[0]
        if fits:
            raise RuleError(f"{len(fits)} rules are called {name}", fix=f"name one by its id: {fits[0].id}...")
        raise RuleError(f"no rule is called {name}", fix="canh rules list shows ids, folders and titles")

    def as_it_is(self, rules: Sequence[AnyRule] = ()) -> Plan:
        """These rules (default all), with nothing changed."""
        ids = {r.id for r in rules} or {r.id for r in (*self.rules.all, *self.scheduled.written)}
        streamed = {r.id for r in self.rules.all} & ids
        chosen = self._part(self.rules, _around(self.rules, streamed)) if rules else self.rules
        told = _told(chosen, chosen, streamed)
        asked, refused = self.scheduled.as_they_are(ids, self.placeholders)
        return Plan(before=chosen, after=chosen, told=told, is_change=False, refused=refused, asked=asked)

    def with_files(self, files: Sequence[Path]) -> Plan:
        """What the rules and filters in `files` change; a rule of a known id takes its place. Raises RuleError."""
        today = self.today or datetime.now(UTC).date()
        asked, refused = self.scheduled.with_files(files, self.placeholders, today)
        given = {path.resolve() for path in files}
        ids = {name for path in files for name in _written(path)}
        kept = [r for r in self.rules.all if r.id not in ids and r.origin.path.resolve() not in given]
        after = self._loaded([*_paths(kept), *self._filters(), *files])
        refused = (
            *self._spoilt(after, files),
            *(r for r in after.refused if r.origin.path.resolve() in given),
            *refused,
        )
        if over := [f for f in after.expired if f.origin.path.resolve() in given]:
            raise RuleError(f"the filter is over since {over[0].expires}", where=over[0].origin, fix="give another day")
        filtered = [f for f in after.filters if f.origin.path.resolve() in given]
        names = {name for f in filtered for name in f.rules}
        ids |= {r.id for r in after.all if names & {r.id, r.name, r.title}}
        if any(not f.rules for f in filtered):
            ids = {r.id for r in after.all}
        if refused and len({r.origin.path for r in refused}) == len(files):
            raise RuleError(f"it cannot be used: {refused[0].reason}", where=refused[0].origin)
        if not ids and not asked:
            raise RuleError("there is no rule in it, and no filter of one", where=", ".join(map(str, files)))
        before_ids, after_ids = _around(self.rules, ids), _around(after, ids)
        before = self._part(self.rules, before_ids | after_ids)
        after = self._part(after, before_ids | after_ids, files)
        told = _told(before, after, {r for rules in (self.rules, after) for r in _above(rules, ids)})
        return Plan(before=before, after=after, told=told, is_change=True, refused=refused, asked=asked)

    def _spoilt(self, after: RuleSet, files: Sequence[Path]) -> Iterable[Refusal]:
        """Why rules in use cannot be used with a filter of `files`, told of the filter."""
        new = [r for r in after.refused if r not in self.rules.refused]
        given = {path.resolve(): path for path in files}
        mine = [f.origin for f in after.filters if f.origin.path.resolve() in given]
        bad = [r for r in new if r.origin.path.resolve() not in given and not r.reason.startswith("it refers to")]
        return [replace(one, origin=mine[0]) for one in bad if mine]

    def _part(self, rules: RuleSet, ids: set[str], more: Sequence[Path] = ()) -> RuleSet:
        places = [r.origin.path for r in rules.all if r.id in ids]
        return self._loaded([*places, *self._filters(), *more])

    def _loaded(self, places: Iterable[Path]) -> RuleSet:
        made = {Path(name): (name, text) for name, text in self.generated}
        # Documents for the store are passed over, and filters that name them are then of a rule that is known.
        wanted = _unique([*places, *_paths(self.scheduled.written)])
        files = [path for path in wanted if path not in made]
        generated = [made[path] for path in wanted if path in made]
        return load(files, self.placeholders, today=self.today, generated=generated)

    def _filters(self) -> list[Path]:
        return [f.origin.path for f in (*self.rules.filters, *self.rules.expired)]


def _around(rules: RuleSet, ids: Iterable[str]) -> set[str]:
    """`ids`, the correlations built on them, and everything all these count."""
    found, by_id = _above(rules, ids), {r.id: r for r in rules.all}
    waiting = list(found)
    while waiting:
        rule = by_id.get(waiting.pop())
        if isinstance(rule, Correlation):
            waiting += [name for name in rule.rules if name not in found]
            found.update(rule.rules)
    return found


def _above(rules: RuleSet, ids: Iterable[str]) -> set[str]:
    """`ids` and the correlations built on them; a correlation comes after what it counts."""
    found = set(ids)
    for correlation in rules.correlations:
        if found & set(correlation.rules):
            found.add(correlation.id)
    return found


def _written(path: Path) -> list[str]:
    """What the rules in a file are known by; nothing when it cannot be read, which loading it will tell."""
    try:
        documents = list(yaml.load_all(path.read_bytes(), yaml.BaseLoader))  # a day that is none is text here
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return []
    rules = [d for d in documents if isinstance(d, dict) and ("detection" in d or "correlation" in d)]
    rules = [d for d in rules if not is_scheduled(d)]
    return [str(d.get("id") or d.get("name") or d.get("title")) for d in rules]


def _told(before: RuleSet, after: RuleSet, ids: set[str]) -> tuple[AnyRule, ...]:
    by_id = {r.id: r for rules in (before, after) for r in rules.all if r.id in ids}
    return tuple(sorted(by_id.values(), key=lambda r: (r.title, r.id)))


def _paths(rules: Iterable[AnyRule]) -> list[Path]:
    return _unique(r.origin.path for r in rules)


def _unique(paths: Iterable[Path]) -> list[Path]:
    return list(dict.fromkeys(paths))
