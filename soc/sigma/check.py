"""What `canh rules check` finds: rules that cannot be used, and folders that are not whole.

Everything at once, as values. Sigma's own conventions are checked with pySigma's validators, those
that need no network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml

from soc.alert import Level
from soc.placeholders import Placeholders
from soc.sigma.expand import ExpandError, expanded
from soc.sigma.library import Folder, folders, single
from soc.sigma.loader import RuleSet
from soc.sigma.rule import Correlation, Origin, Refusal, Rule

SECTIONS = {
    "triage.md": ("Sees", "Matters", "Check", "Benign", "Misses", "Response"),
    "triage.vi.md": ("Thấy gì", "Vì sao quan trọng", "Kiểm tra", "Vô hại khi", "Bỏ sót", "Xử lý"),
}
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PARSERS = Path(__file__).resolve().parents[2] / "monitoring"
_FIELD = re.compile(r"@timestamp|\b[a-z_]+(?:\.[a-z_]+)+\b")
_PASSED_ON = "winlog.event_data."  # the data of Windows' events keep the names Windows gave them
_VALIDATORS = (
    "all_of_them_condition",
    "control_character",
    "dangling_condition",
    "dangling_detection",
    "double_wildcard",
    "duplicate_references",
    "duplicate_tag",
    "escaped_wildcard",
    "invalid_modifier_combinations",
    "number_as_string",
    "them_condition_with_single_detection",
    "wildcards_instead_of_modifiers",
)


def findings(rules: RuleSet, placeholders: Placeholders, own: Iterable[Folder] | None = None) -> list[Refusal]:
    """Every offence, in order of file and line. own: the folders to look into, by default those of `rules`."""
    every = folders(rules) if own is None else tuple(own)
    library = single(every)
    found = [*rules.refused, *of_folders(library), *_conventions(library, placeholders)]
    for folder in every:
        if folder not in library:
            found.append(Refusal(origin=folder.rule.origin, reason="one rule a folder: this file holds several"))
    return sorted(found, key=lambda f: (str(f.origin.path), f.origin.line, f.reason))


def of_folders(library: Iterable[Folder]) -> Iterator[Refusal]:
    """What folders lack, whatever kind of rule they hold."""
    for folder in library:
        yield from _incomplete(folder)
        yield from _metadata(folder)
        yield from _unknown_fields(folder)


def _incomplete(folder: Folder) -> Iterator[Refusal]:
    for name, sections in SECTIONS.items():
        path = folder.path / name
        if not path.is_file():
            yield Refusal(origin=Origin(path=path), reason="missing")
            continue
        there = re.findall(r"^## (.+?)\s*$", path.read_text("utf-8"), re.MULTILINE)
        for section in sections:
            if section not in there:
                yield Refusal(origin=Origin(path=path), reason=f"section '## {section}' is missing")
    kinds = {case.suffixes[-2] for case in folder.cases if len(case.suffixes) >= 2}
    for kind in (".hit", ".miss"):
        if kind not in kinds:
            yield Refusal(origin=Origin(path=folder.path / "tests"), reason=f"no {kind[1:]} case")


def _metadata(folder: Folder) -> Iterator[Refusal]:
    rule, text = folder.rule, folder.rule.origin.path.read_text("utf-8")
    try:
        UUID(rule.id)
    except ValueError:
        yield Refusal(origin=rule.origin, reason=f"id {rule.id!r} is no UUID")
    if not rule.title_vi and not (document := yaml.safe_load(text)).get("canh", {}).get("title_vi"):
        yield Refusal(origin=rule.origin, reason=f"canh.title_vi is missing for {document.get('title')!r}")
    for key in ("description", "references", "level", "tags", "falsepositives", "status", "date"):
        if not re.search(rf"^{key}:", text, re.MULTILINE):
            yield Refusal(origin=rule.origin, reason=f"{key} is missing")
    techniques = [tag for tag in rule.tags if re.fullmatch(r"attack\.t\d{4}(\.\d{3})?", tag)]
    if not techniques and not {"canh.ops", "canh.policy"} & set(rule.tags):
        yield Refusal(origin=rule.origin, reason="tags name no ATT&CK technique, and neither canh.ops nor canh.policy")
    if isinstance(rule, Rule) and not rule.alerts and rule.level is not Level.INFORMATIONAL:
        yield Refusal(origin=rule.origin, reason="it only feeds correlations, so its level is informational")


def _unknown_fields(folder: Folder) -> Iterator[Refusal]:
    text = folder.rule.origin.path.read_text("utf-8")
    known = made_fields()
    for field in sorted(set(_fields(yaml.safe_load(text), folder.rule))):
        if field not in known and not field.startswith(_PASSED_ON):
            line = text[: text.find(field)].count("\n") + 1
            yield Refusal(
                origin=Origin(path=folder.rule.origin.path, line=line), reason=f"no parser makes the field {field}"
            )


def _fields(document: dict[str, Any], rule: object) -> Iterator[str]:
    if isinstance(rule, Correlation):
        yield from (name for name in rule.group_by if name not in dict(rule.aliases))
        yield from (field for _, fields in rule.aliases for _, field in fields)
        if rule.field:
            yield rule.field
        return
    for name, selection in document.get("detection", {}).items():
        if name != "condition":
            yield from _keys(selection)
    ours = document.get("canh", {})
    scheduled = ours.get("scheduled") or {}
    yield from (*ours.get("group-by", ()), *scheduled.get("group-by", ()), *filter(None, [scheduled.get("field")]))


def _keys(node: Any) -> Iterator[str]:
    for item in node if isinstance(node, list) else [node]:
        if isinstance(item, dict):
            yield from (str(key).split("|")[0] for key in item)


@cache
def made_fields() -> frozenset[str]:
    """Names of fields as they stand in the parsers, the enrichment and the list of fields."""
    files = [p for p in _PARSERS.rglob("*") if p.suffix in (".py", ".yaml") and "tests" not in p.parts]
    return frozenset(name for p in files for name in _FIELD.findall(p.read_text("utf-8")))


def _conventions(library: tuple[Folder, ...], placeholders: Placeholders) -> Iterator[Refusal]:
    documents = [yaml.load(folder.rule.origin.path.read_text("utf-8"), _LOADER) for folder in library]  # noqa: S506
    origins = {folder.rule.id: folder.rule.origin for folder in library}
    for rule_id, kind, text in conventions(documents, placeholders):
        yield Refusal(origin=origins.get(rule_id, Origin(path=Path("soc_rules"))), reason=f"{kind}: {text}")


def conventions(documents: Sequence[dict[str, Any]], placeholders: Placeholders) -> Iterator[tuple[str, str, str]]:
    """pySigma's opinion of all rules together: id, kind of fault, in words.

    Placeholders are filled in first (it cannot read `cidr|expand`); rules whose placeholders cannot be are passed over.
    """
    from sigma.collection import SigmaCollection
    from sigma.validation import SigmaValidator
    from sigma.validators.core import validators

    chosen = {validators[name] for name in _VALIDATORS if name in validators}
    filled = list(_filled(documents, placeholders))
    try:
        collection = SigmaCollection.from_dicts(filled, collect_errors=True)
    except Exception:  # one that it goes down with, or a correlation of a rule that is not there: the others go on
        collection = SigmaCollection.from_dicts([d for d in filled if _is_readable(d)], collect_errors=True)
    for rule in collection.rules:
        for fault in rule.errors:
            yield str(rule.id), "pySigma", str(fault)
        if not rule.errors:
            for issue in SigmaValidator(chosen).validate_rule(rule):
                yield str(rule.id), type(issue).__name__, issue.description


def _is_readable(document: dict[str, Any]) -> bool:
    from sigma.collection import SigmaCollection

    try:
        SigmaCollection.from_dicts([document], collect_errors=True)
    except Exception:  # whatever a stranger's document makes of somebody else's parser
        return False
    return True


def _filled(documents: Iterable[dict[str, Any]], placeholders: Placeholders) -> Iterator[dict[str, Any]]:
    for document in documents:
        with suppress(ExpandError):
            yield expanded(document, placeholders)
