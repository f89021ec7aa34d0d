"""Filters and rules of the province's own on their way into its folder."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import yaml

from soc.rulesets.errors import KeepError
from soc.sigma import AnyRule, Correlation, Rule, RuleSet
from soc.sigma.check import made_fields
from soc.sigma.filter_document import NEVER, FilterError, filter_of
from soc.sigma.rule import LogSource, Origin

FILTERS = "filters"  # below <province>/rules
_NAMESPACE = UUID("0e8c7c53-0c7e-5c53-8a0c-6f2a5fd0f9c4")  # of the ids of filters
_SLUG = re.compile(r"[^a-z0-9]+")
_PLACE = re.compile(r"[a-z0-9][a-z0-9_-]*/[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A filter file that is not written yet."""

    name: str
    text: str
    rules: tuple[AnyRule, ...]  # it is of these


def draft(
    rules: Sequence[AnyRule],
    where: Sequence[str],
    *,
    everything: RuleSet,
    reason: str,
    author: str,
    expires: str,
    today: date,
) -> Draft:
    """A filter on `rules`. where: 'FIELD=VALUE', all must hold for an event to be silenced; none: switched off.

    Conditions on a correlation become conditions on the rules it counts. Raises KeepError.
    """
    selection = _selection(where)
    targets = list(dict.fromkeys(rules)) if not where else list(dict.fromkeys(_counted(rules, everything)))
    documents = [
        _document(group, source, selection, reason=reason, author=author, expires=expires)
        for source, group in _by_source(targets)
    ]
    try:
        for document in documents:
            said = filter_of(yaml.safe_load(_dumped([document])), Origin(path=Path()), today)
            if said.is_expired(today):
                raise KeepError(f"it would be over since {said.expires}", fix="give a day to come with --expires")
    except FilterError as error:
        raise KeepError(str(error)) from error
    slug = _SLUG.sub("-", (targets[0].origin.path.parent.name or targets[0].title).lower()).strip("-")[:60]
    return Draft(name=f"{slug}-{documents[0]['id'][:8]}.yml", text=_dumped(documents), rules=tuple(targets))


def keep_filter(drafted: Draft, province_dir: Path) -> Path:
    """Write it below the province's rules. Raises KeepError."""
    path = province_dir / "rules" / FILTERS / drafted.name
    _write(path, drafted.text)
    return path


def keep_rule(source: Path, place: str, province_dir: Path) -> Path:
    """Copy a rule file, or the folder of a rule, to <province>/rules/<product>/<slug>. Raises KeepError."""
    if not _PLACE.fullmatch(place):
        raise KeepError(
            f"{place!r} is no place for a rule", fix="give --as PRODUCT/NAME in lower case, like access/odd-login"
        )
    folder = province_dir / "rules" / place
    if folder.exists():
        raise KeepError("there is a rule already", where=folder, fix="give another name, or edit that one")
    if source.is_file():
        _write(folder / "rule.yml", source.read_text("utf-8"))
        return folder
    try:
        new = province_dir / f".{folder.name}.new"  # beside the rules, where nobody loads it half copied
        shutil.rmtree(new, ignore_errors=True)
        shutil.copytree(source, new, symlinks=True, ignore=shutil.ignore_patterns(".*"))
        folder.parent.mkdir(parents=True, exist_ok=True)
        new.rename(folder)
    except OSError as error:
        raise KeepError(f"it cannot be written: {error.strerror or error}", where=folder) from error
    return folder


def _selection(where: Sequence[str]) -> dict[str, Any]:
    selection: dict[str, Any] = {}
    for condition in where:
        key, equals, value = condition.partition("=")
        key, field = key.strip(), key.split("|")[0].strip()
        if not equals or not field:
            raise KeepError(f"{condition!r} is no condition", fix="write FIELD=VALUE, like source.ip=10.250.0.20")
        if field not in made_fields():
            raise KeepError(f"no parser makes the field {field}", fix="canh show EVENT tells what an event has")
        values = selection.setdefault(key, [])
        values.append(int(value) if re.fullmatch(r"0|[1-9][0-9]{0,17}", value) else value)
    return {key: values[0] if len(values) == 1 else values for key, values in selection.items()}


def _counted(rules: Iterable[AnyRule], everything: RuleSet) -> Iterable[AnyRule]:
    by_id = {rule.id: rule for rule in everything.all}
    for rule in rules:
        if isinstance(rule, Correlation):
            yield from _counted((by_id[fed] for fed in rule.rules), everything)
        else:
            yield rule


def _by_source(rules: Iterable[AnyRule]) -> list[tuple[LogSource | None, list[AnyRule]]]:
    """One filter a log source: a filter names its own, and reaches only rules of it."""
    groups: dict[LogSource | None, list[AnyRule]] = {}
    for rule in rules:
        groups.setdefault(rule.logsource if isinstance(rule, Rule) else None, []).append(rule)
    return list(groups.items())


def _document(
    rules: Sequence[AnyRule],
    source: LogSource | None,
    selection: dict[str, Any],
    *,
    reason: str,
    author: str,
    expires: str,
) -> dict[str, Any]:
    names = ", ".join(rule.title for rule in rules)
    ids = [rule.id for rule in rules]
    said = source or LogSource()
    parts = {"product": said.product, "category": said.category, "service": said.service}
    logsource = {key: value for key, value in parts.items() if value}
    rest: dict[str, Any] = {"silenced": selection, "condition": "not silenced"} if selection else dict(NEVER)
    return {
        "title": f"{'Except' if selection else 'Off'}: {names}"[:256],
        "id": str(uuid5(_NAMESPACE, yaml.safe_dump([ids, selection, reason, author, expires]))),
        **({"logsource": logsource} if logsource else {}),
        "filter": {"rules": ids, **rest},
        "canh": {"reason": reason, "author": author, "expires": expires},
    }


def _dumped(documents: Sequence[dict[str, Any]]) -> str:
    return yaml.safe_dump_all(documents, allow_unicode=True, sort_keys=False, width=120)


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        with new.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        new.rename(path)
    except OSError as error:
        fix = "make the province's folder writable for you"
        raise KeepError(f"it cannot be written: {error.strerror}", where=path, fix=fix) from error
