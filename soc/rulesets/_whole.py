"""What is wrong with a library as a whole: copies, ids that changed, filters that are over, tags nobody knows.

Beside `soc.sigma.check`, which looks at each folder by itself.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml

from soc.placeholders import Placeholders
from soc.sigma import AnyRule, Correlation, RuleSet, check
from soc.sigma.attack import strange_tags
from soc.sigma.library import Folder, single
from soc.sigma.library import folders as folders_of
from soc.sigma.rule import Origin, Refusal

REGISTER = "ids.txt"  # in a library: the id of every rule it ever had, and where it stands
_HEAD = """\
# The id of every rule of this library. Alerts, cases and filters name a rule by its id, so it never changes.
# `canh rules check --register` adds what is new; a line is taken out by hand when a rule is given up.
"""
SOON = timedelta(days=7)
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ALREADY_PARSED = re.compile(rb'^\s*\{.*"(?:event\.action|canh\.)', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Offences are to be mended; remarks are to be known."""

    offences: tuple[Refusal, ...]
    remarks: tuple[Refusal, ...] = ()


def findings(
    rules: RuleSet, placeholders: Placeholders, libraries: Sequence[Path], today: date, more: Iterable[Folder] = ()
) -> Findings:
    """Everything at once, in order of file and line.

    libraries: the folders whose rules have notes and cases. more: rules that are not for the stream.
    """
    every = [folder for folder in (*folders_of(rules), *more) if _is_below(folder.path, libraries)]
    own = single(every)
    found = [
        *check.findings(rules, placeholders, every),
        *_same(own),
        *_cases(own),
        *_tags(own),
        *(refusal for library in libraries for refusal in _register(library, own)),
        *_filters(rules, today),
    ]
    remarks = [
        *_without_lines(own),
        *(remark for library in libraries for remark in _unregistered(library, own)),
        *(
            Refusal(origin=f.origin, reason=f"it applies until {f.expires}: {f.reason} ({f.author})")
            for f in rules.filters
            if f.expires - today <= SOON
        ),
    ]
    return Findings(offences=tuple(sorted(set(found), key=_place)), remarks=tuple(sorted(remarks, key=_place)))


def registered(library: Path, rules: RuleSet, more: Iterable[Folder] = ()) -> str:
    """The text of a library's register, with what stands in it now."""
    known = {rule_id: place for rule_id, place, _ in _entries(library)}
    there = (folder for folder in (*folders_of(rules), *more) if _is_below(folder.path, [library]))
    known |= {folder.rule.id: _name(folder, library) for folder in there}
    lines = sorted((place, rule_id) for rule_id, place in known.items())
    return _HEAD + "".join(f"{rule_id} {place}\n" for place, rule_id in lines)


def _is_below(path: Path, libraries: Iterable[Path]) -> bool:
    return any(path.is_relative_to(library) for library in libraries)


def _place(refusal: Refusal) -> tuple[str, int, str]:
    return str(refusal.origin.path), refusal.origin.line, refusal.reason


def _same(own: Iterable[Folder]) -> Iterator[Refusal]:
    """Two rules by one name, or that say the same in other words."""
    first: dict[tuple[str, str], AnyRule] = {}
    for folder in own:
        rule = folder.rule
        for kind, value in (
            ("title", rule.title.casefold()),
            ("Vietnamese title", rule.title_vi.casefold()),
            ("name", rule.name),
            ("detection", _meaning(rule)),
        ):
            known = first.setdefault((kind, value), rule) if value else rule
            if known is not rule:
                yield Refusal(origin=rule.origin, reason=f"its {kind} is that of {known.origin.path}")


def _meaning(rule: AnyRule) -> str:
    """What a rule looks for, however its selections are called and ordered."""
    document = _document(rule.origin.path)
    if isinstance(rule, Correlation):
        return json.dumps(_normal(document.get("correlation")), sort_keys=True, default=str)
    detection = document.get("detection")
    if not isinstance(detection, dict):
        return ""
    condition = str(detection.get("condition", ""))
    for number, name in enumerate(sorted(detection, key=lambda key: _text(detection[key]))):
        if name != "condition" and "*" not in condition and "them" not in condition:
            condition = re.sub(rf"\b{re.escape(str(name))}\b", f"s{number}", condition)
    selections = sorted(_text(value) for name, value in detection.items() if name != "condition")
    return json.dumps([_normal(document.get("logsource")), selections, condition.lower().split()], sort_keys=True)


def _text(node: Any) -> str:
    return json.dumps(_normal(node), sort_keys=True, default=str)


def _normal(node: Any) -> Any:
    if isinstance(node, dict):
        return {str(key).lower(): _normal(value) for key, value in node.items()}
    if isinstance(node, list):
        return sorted((_normal(value) for value in node), key=_text) if len(node) != 1 else _normal(node[0])
    return str(node).casefold()


def _document(path: Path) -> dict[str, Any]:
    document = yaml.load(path.read_text("utf-8"), _LOADER)  # noqa: S506
    return document if isinstance(document, dict) else {}


def _cases(own: Iterable[Folder]) -> Iterator[Refusal]:
    for folder in own:
        for case in folder.cases:
            if case.suffix == ".log" and _ALREADY_PARSED.search(case.read_bytes()):
                yield Refusal(origin=Origin(path=case), reason="its lines are parsed already: give them as received")


def _without_lines(own: Iterable[Folder]) -> Iterator[Refusal]:
    for folder in own:
        if folder.cases and not any(case.suffix == ".log" for case in folder.cases):
            reason = "no case is of raw lines: events say nothing of what the parsers make of a line"
            yield Refusal(origin=Origin(path=folder.path / "tests"), reason=reason)


def _tags(own: Iterable[Folder]) -> Iterator[Refusal]:
    for folder in own:
        text = folder.rule.origin.path.read_text("utf-8")
        for sentence in strange_tags(folder.rule.tags):
            line = text[: text.find(sentence.split(" ", 1)[0])].count("\n") + 1
            yield Refusal(origin=Origin(path=folder.rule.origin.path, line=line), reason=sentence)


def _register(library: Path, own: Iterable[Folder]) -> Iterator[Refusal]:
    """Ids are stable: a rule keeps its own, and none is lost unnoticed."""
    path = library / REGISTER
    if not path.is_file():
        return
    there = {_name(folder, library): folder.rule for folder in own if _is_below(folder.path, [library])}
    ids = {rule.id for rule in there.values()}
    for rule_id, place, line in _entries(library):
        if rule_id not in ids:
            now = f"{place} has {there[place].id} now" if place in there else f"{place} is gone"
            reason = f"no rule has the id {rule_id} any more ({now}): give it back, or take the line out"
            yield Refusal(origin=Origin(path=path, line=line), reason=reason)


def _unregistered(library: Path, own: Iterable[Folder]) -> Iterator[Refusal]:
    known = {rule_id for rule_id, _, _ in _entries(library)}
    for folder in own if known else ():
        if folder.rule.id not in known and _is_below(folder.path, [library]):
            reason = f"its id is not in {REGISTER} yet: canh rules check --register"
            yield Refusal(origin=folder.rule.origin, reason=reason)


def _entries(library: Path) -> Iterator[tuple[str, str, int]]:
    """Id, place and line of each entry of a register."""
    path = library / REGISTER
    for number, line in enumerate(path.read_text("utf-8").splitlines() if path.is_file() else (), 1):
        rule_id, _, place = line.partition(" ")
        if place and not line.startswith("#"):
            yield rule_id, place.strip(), number


def _name(folder: Folder, library: Path) -> str:
    return folder.path.relative_to(library).as_posix()


def _filters(rules: RuleSet, today: date) -> Iterator[Refusal]:
    first: dict[str, Origin] = {}
    for one in (*rules.filters, *rules.expired):
        if one.is_expired(today):
            reason = f"it ended on {one.expires} and no longer applies: take it away, or say anew why ({one.author})"
            yield Refusal(origin=one.origin, reason=reason)
        known = first.setdefault(one.id, one.origin)
        if known != one.origin:
            yield Refusal(origin=one.origin, reason=f"its id {one.id} is that of {known}")
