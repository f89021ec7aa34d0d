"""A community set on its way in: read, screened, written aside, loaded, sorted, and put in place as a whole.

    <data>/rules/<name>/rules/       what detection loads
                       /no-source/   rules of log sources that nothing here can be of; events that no log
                                     source claims meet every rule, so these could only raise false alarms
                       /licences/    as they came
                       /report.json

Texts are kept as they came, author and references with them. Until the new set is complete the old one stays.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from soc.placeholders import Placeholders
from soc.rulesets import _archive, _report
from soc.rulesets._folders import LOADED
from soc.rulesets._report import Difference, Report, Taken
from soc.rulesets._screen import Document, screened
from soc.rulesets._sources import Sources
from soc.rulesets.errors import SourceError
from soc.sigma import Rule, RuleSet, load
from soc.sigma.check import conventions

ASIDE = "no-source"
LICENCES = "licences"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_LICENCE = re.compile(r"(licen[cs]e|copying|notice|authors)([._-].*)?", re.IGNORECASE)
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
Say = Callable[[str], None]

# What the loader says, and the reason people count by.
_REASONS = (
    ("unknown placeholder", "unknown placeholder"),
    ("has no value", "empty placeholder"),
    ("its id ", "id taken"),
    ("refers to", "correlation of nothing"),
    ("not YAML", "not YAML"),
)


@dataclass(slots=True)
class _Written:
    """A file written aside: its documents that may be used."""

    path: Path
    name: str  # in the set
    documents: list[Document]
    text: str


@dataclass(slots=True)
class _Set:
    """A set while it is taken in."""

    files: list[_Written] = field(default_factory=list)
    refused: list[Taken] = field(default_factory=list)
    licences: list[str] = field(default_factory=list)
    passed_over: Counter[str] = field(default_factory=Counter)
    twins: Counter[Path] = field(default_factory=Counter)  # files that wanted a name somebody had
    ids: dict[str, str] = field(default_factory=dict)  # of rules, and where they stand


def name_of(source: Path, given: str | None) -> str:
    """The name of a set. Raises SourceError."""
    plain = re.sub(r"\.(zip|tar|tgz|tar\.\w+)$", "", source.name.lower())
    name = given if given is not None else _UNSAFE.sub("-", plain).strip("-.")
    if not _NAME.fullmatch(name):
        fix = "give --name in lower case letters, digits, '-', '_' and '.'"
        raise SourceError(f"{name!r} is no name for a set", where=source, fix=fix)
    return name


def taken_in(
    source: Path,
    place: Path,
    *,
    name: str,
    sources: Sources,
    placeholders: Placeholders,
    known: Mapping[str, str],
    at: datetime,
    before: Report | None,
    say: Say,
) -> Report:
    """Write the set below `place`, an empty folder. known: ids in use elsewhere, and where. Raises SourceError."""
    if not source.exists():
        raise SourceError("there is nothing", where=source, fix="give a zip, a tar or a folder of Sigma rules")
    coming = _read(source, place, known, say)
    say(f"{sum(len(f.documents) for f in coming.files):,} rules read, compiling")
    rules = load([place / LOADED], placeholders) if coming.files else None
    taken = list(_sorted(coming, rules, sources, place)) if rules else []
    if not any(rule.outcome != "refused" for rule in taken):
        reasons = Counter(rule.reason for rule in (*taken, *coming.refused)).most_common(3)
        why = "; ".join(f"{count} {reason}" for reason, count in reasons) or "no file of it is YAML"
        raise SourceError(f"there is no rule in it that can be used: {why}", where=source)
    say("checking conventions")
    documents = [d.content for f in coming.files for d in f.documents if not d.reason]
    remarks = Counter(kind for _, kind, _ in conventions(documents, placeholders))
    every = (*taken, *coming.refused)
    report = Report(
        name=name,
        source=source.name,
        imported_at=at.isoformat(timespec="seconds"),
        licences=tuple(coming.licences),
        rules=tuple(sorted(every, key=lambda r: (r.path, r.id))),
        files=dict(coming.passed_over),
        remarks=dict(remarks),
        difference=_difference(before, every),
    )
    _report.write(report, place)
    return report


def _read(source: Path, place: Path, known: Mapping[str, str], say: Say) -> _Set:
    coming = _Set()
    (place / LOADED).mkdir(parents=True)
    for number, found in enumerate(_archive.files_of(source, _is_wanted), 1):
        if number % 1000 == 0:
            say(f"{number:,} files read")
        if found.octets is None:
            if found.is_link:
                coming.passed_over["links and devices"] += 1
            elif found.is_too_long:
                coming.passed_over[f"longer than {_archive.MOST_FILE_OCTETS // 2**10} KiB"] += 1
            else:
                coming.passed_over["not rules"] += 1
        elif _LICENCE.fullmatch(found.path[-1]):
            target = _free(place / LICENCES, found.path, coming.twins)
            target.write_bytes(found.octets)
            coming.licences.append(str(target.relative_to(place)))
        else:
            _rule_file(found.path, found.octets, place, known, coming)
    return coming


def _is_wanted(parts: tuple[str, ...]) -> bool:
    if any(part.startswith(".") for part in parts) or "tests" in parts:
        return False
    return parts[-1].lower().endswith((".yml", ".yaml")) or _LICENCE.fullmatch(parts[-1]) is not None


def _rule_file(parts: tuple[str, ...], octets: bytes, place: Path, known: Mapping[str, str], coming: _Set) -> None:
    name = "/".join(parts).encode("utf-8", "backslashreplace").decode()  # a name need not be UTF-8
    file = screened(octets)
    if file.reason:
        coming.refused.append(_taken({}, name, "refused", file.reason, file.detail))
        return
    documents = [_distinct(document, name, known, coming.ids) for document in file.documents]
    usable = [d for d in documents if not d.reason]
    coming.refused += [_taken(d.content, name, "refused", d.reason, d.detail) for d in documents if d.reason]
    if not usable:
        return
    target = _free(place / LOADED, parts, coming.twins)
    # A file with documents that are not used is cut to those that are; any other stays as it came.
    text = file.text if len(usable) == len(documents) else _only(usable)
    target.write_text(text, "utf-8")
    coming.files.append(_Written(path=target, name=name, documents=usable, text=text))


def _distinct(document: Document, name: str, known: Mapping[str, str], ids: dict[str, str]) -> Document:
    """The document, refused when a rule of its id is there already."""
    if document.reason:
        return document
    rule_id = _id(document.content)
    other = known.get(rule_id) or ids.get(rule_id)
    if other:
        return Document(content=document.content, reason="id taken", detail=f"{rule_id} is that of {other}")
    ids[rule_id] = name
    return document


def _only(documents: Iterable[Document]) -> str:
    import yaml

    return yaml.safe_dump_all([d.content for d in documents], allow_unicode=True, sort_keys=False)


def _sorted(coming: _Set, rules: RuleSet, sources: Sources, place: Path) -> Iterator[Taken]:
    """What became of each rule that was written; files of what nobody can send are moved aside."""
    by_id = {rule.id: rule for rule in rules.all}
    blind = {rule.id for rule in rules.rules if not sources.sight_of(rule.logsource).is_loadable}
    for correlation in rules.correlations:  # each after what it counts
        if blind & set(correlation.rules):
            blind.add(correlation.id)
    why = _refusals(rules)
    for file in coming.files:
        used = [d for d in file.documents if _id(d.content) in by_id]
        is_aside = bool(used) and all(_id(d.content) in blind for d in used)
        for document in file.documents:
            if document not in used:
                reason = why.get(file.path) or "it does not compile"
                yield _taken(document.content, file.name, "refused", _short(reason), reason)
                continue
            rule = by_id[_id(document.content)]
            sight = sources.sight_of(rule.logsource).value if isinstance(rule, Rule) else ""
            outcome = ASIDE if is_aside else "loaded"
            yield _taken(document.content, file.name, outcome, sight=sight, digest=_digest(file.text))
        text = file.text if len(used) == len(file.documents) else _only(used)
        file.path.unlink()
        if used:
            folder = place / (ASIDE if is_aside else LOADED)
            _free(folder, file.path.relative_to(place / LOADED).parts, coming.twins).write_text(text, "utf-8")


def _refusals(rules: RuleSet) -> dict[Path, str]:
    return {refusal.origin.path: refusal.reason for refusal in reversed(rules.refused)}


def _short(reason: str) -> str:
    return next((short for words, short in _REASONS if words in reason), "refused by the engine")


def _taken(
    document: Mapping[str, Any],
    path: str,
    outcome: str,
    reason: str = "",
    detail: str = "",
    sight: str = "",
    digest: str = "",
) -> Taken:
    source = document.get("logsource")
    parts = source if isinstance(source, dict) else {}
    references = document.get("references")
    return Taken(
        id=_id(document),
        title=str(document.get("title", ""))[:300],
        author=str(document.get("author", "")),
        level=str(document.get("level", "")),
        status=str(document.get("status", "")),
        references=tuple(str(r) for r in references) if isinstance(references, list) else (),
        logsource="/".join(str(parts.get(key) or "*") for key in ("product", "category", "service")),
        path=path,
        outcome=outcome,
        reason=reason,
        detail=detail[:500],
        sight=sight,
        digest=digest,
    )


def _id(document: Mapping[str, Any]) -> str:
    return str(document.get("id") or document.get("name") or document.get("title") or "")


def _free(folder: Path, parts: tuple[str, ...], twins: Counter[Path]) -> Path:
    """A path for a file of the set: letters that every file system takes, and none that is taken.

    twins: how many wanted a name that was taken, so that not all of 50,000 of one name are asked for each.
    """
    safe = [_UNSAFE.sub("_", part).lstrip(".")[:100] or "_" for part in parts]
    if any(folder.joinpath(*safe[:depth]).is_file() for depth in range(1, len(safe))):
        safe = ["-".join(safe)[:200]]  # an archive may use a name for a file and for a folder
    wanted = target = folder.joinpath(*safe)
    while target.exists():
        twins[wanted] += 1
        target = wanted.with_name(f"{twins[wanted] + 1}-{safe[-1]}")
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _difference(before: Report | None, now: Iterable[Taken]) -> Difference:
    if before is None:
        return Difference()
    old = {rule.id: rule.digest for rule in before.rules if rule.outcome != "refused"}
    new = {rule.id: rule.digest for rule in now if rule.outcome != "refused"}
    return Difference(
        added=tuple(sorted(new.keys() - old.keys())),
        changed=tuple(sorted(i for i in new.keys() & old.keys() if new[i] != old[i])),
        removed=tuple(sorted(old.keys() - new.keys())),
    )
