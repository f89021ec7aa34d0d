"""From the folder of a province to its documents, each checked against its model.

Second step of the loader. Takes plain data from `_yaml`, gives typed documents, and words
pydantic's errors as findings people can act on. What spans documents is left to `_checks`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from inventory._documents import AllocationsDoc, ListsDoc, ProfileDoc, ProvinceDoc, ServicesDoc, SiteDoc, UnitsDoc
from inventory._yaml import Document, pointer_of, read
from inventory.errors import InventoryError
from inventory.finding import Finding

PROFILES = Path(__file__).parent / "profiles"
Model = TypeVar("Model", bound=BaseModel)
_TYPES = {
    "string_type": "text (put it in quotes)",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "`key: value` lines",
    "model_type": "`key: value` lines",
    "date_type": "a date like 2025-07-01",
    "date_from_datetime_inexact": "a date like 2025-07-01, without a time",
    "none_required": "nothing",
}

_NAMES: Mapping[type, str] = {
    datetime: "a date and time",
    date: "a date",
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "a mapping",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Read(Generic[Model]):
    """A document and what it says."""

    document: Document
    says: Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """Every document of a province; a mapping's key is the file's name without .yaml."""

    province: Read[ProvinceDoc]
    units: Read[UnitsDoc]
    services: Read[ServicesDoc]
    profiles: Mapping[str, Read[ProfileDoc]]
    sites: Mapping[str, Read[SiteDoc]]
    allocations: Read[AllocationsDoc]
    lists: Read[ListsDoc]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What could be read of a Folder: None or left out is a document with findings of its own.

    `is_complete` says nothing is left out, so that a name found nowhere is really nowhere.
    """

    folder: Path
    province: Read[ProvinceDoc] | None
    units: Read[UnitsDoc] | None
    services: Read[ServicesDoc] | None
    profiles: Mapping[str, Read[ProfileDoc]]
    sites: Mapping[str, Read[SiteDoc]]
    allocations: Read[AllocationsDoc] | None
    lists: Read[ListsDoc] | None
    is_complete: bool

    def whole(self) -> Folder | None:
        """The Folder; None when a document of it is missing."""
        if not self.is_complete or not (self.province and self.units and self.services):
            return None
        if not (self.allocations and self.lists):
            return None
        return Folder(
            province=self.province,
            units=self.units,
            services=self.services,
            profiles=self.profiles,
            sites=self.sites,
            allocations=self.allocations,
            lists=self.lists,
        )


def shown(path: Path) -> str:
    """How messages name a file: from the working directory when it lies below."""
    absolute, here = path.absolute(), Path.cwd()
    return str(absolute.relative_to(here) if absolute.is_relative_to(here) else absolute)


def read_folder(folder: Path) -> tuple[Reading, list[Finding]]:
    """Read all documents of a province, and what is wrong in each by itself.

    Raises InventoryError when `folder` is not a directory.
    """
    if not folder.is_dir():
        fix = "name a folder with --province, or write one with `canh init SLUG DIR`"
        raise InventoryError("there is no province here", where=shown(folder), fix=fix)
    findings = _misnamed(folder)

    def one(path: Path, model: type[Model]) -> Read[Model] | None:
        found, problems = read_as(path, model)
        findings.extend(problems)
        return found

    province = one(folder / "province.yaml", ProvinceDoc)
    units = one(folder / "units.yaml", UnitsDoc)
    services = one(folder / "services.yaml", ServicesDoc)
    profile_files = {p.stem: p for place in (PROFILES, folder / "profiles") for p in _by_name(place)}
    profiles = {name: one(path, ProfileDoc) for name, path in profile_files.items()}
    sites = {p.stem: one(p, SiteDoc) for p in _by_name(folder / "sites")}
    allocations = _optional(folder / "allocations.yaml", AllocationsDoc, findings)
    lists = _optional(folder / "lists.yaml", ListsDoc, findings)
    reading = Reading(
        folder=folder,
        province=province,
        units=units,
        services=services,
        profiles={n: p for n, p in profiles.items() if p is not None},
        sites={n: s for n, s in sites.items() if s is not None},
        allocations=allocations,
        lists=lists,
        is_complete=None not in (province, units, services, allocations, lists, *profiles.values(), *sites.values()),
    )
    return reading, findings


def _by_name(place: Path) -> list[Path]:
    return sorted(place.glob("*.yaml"), key=lambda p: p.stem)


def _misnamed(folder: Path) -> list[Finding]:
    """Files that would be passed over in silence."""
    places = [p for name in ("sites", "profiles") for p in sorted((folder / name).glob("*")) if p.suffix != ".yaml"]
    return [
        Finding(
            what=f'"{p.name}" is not read: its name does not end in .yaml',
            where=f"{shown(p)}:1",
            pointer="",
            fix="rename it, or take it out of this folder",
        )
        for p in places
        if not p.name.startswith(".")
    ]


def _optional(path: Path, model: type[Model], findings: list[Finding]) -> Read[Model] | None:
    """A document a province may do without: a new one has no allocations yet, a small one no lists."""
    if not path.exists():
        empty = Document(path=path, shown=shown(path), data={}, lines={"": 1})
        return Read(document=empty, says=model())
    found, problems = read_as(path, model)
    findings.extend(problems)
    return found


def read_as(path: Path, model: type[Model]) -> tuple[Read[Model] | None, list[Finding]]:
    """A file as `model`, and what is wrong in it; None when it cannot be used. Read again without keys nobody knows."""
    document, findings = read(path, shown(path))
    if document is None:
        return None, findings
    try:
        return Read(document=document, says=model.model_validate(document.data)), findings
    except ValidationError as error:
        told = {f.pointer for f in findings}
        errors = error.errors(include_url=False)
        worded = [_worded(e, document, model) for e in errors]
        findings = findings + [f for f in worded if f.pointer not in told]
        return _without_unknown_keys(document, model, errors), findings


def _without_unknown_keys(document: Document, model: type[Model], errors: Sequence[Any]) -> Read[Model] | None:
    """The document as its unknown keys were meant, or without them, so that the rest of it is checked too."""
    if any(e["type"] != "extra_forbidden" for e in errors):
        return None
    data = deepcopy(document.data)
    for error in errors:
        *parents, key = error["loc"]
        holder: Any = data
        for part in parents:
            holder = holder[part]
        value = holder.pop(key)
        for meant in get_close_matches(key, _keys_at(model, parents), n=1):
            holder.setdefault(meant, value)
    try:
        return Read(document=document, says=model.model_validate(data))
    except ValidationError:
        return None


def _worded(error: Any, document: Document, model: type[BaseModel]) -> Finding:
    """One of pydantic's errors in our words."""
    kind, ctx = error["type"], error.get("ctx", {})
    parts = [p for p in error["loc"] if p != "[key]"]
    pointer = pointer_of(*parts)
    if kind == "extra_forbidden":
        known = _keys_at(model, parts[:-1])
        close = get_close_matches(str(parts[-1]), known, n=1)
        fix = f'did you mean "{close[0]}"?' if close else f"remove it; the keys here are {', '.join(known)}"
        return document.finding(pointer, f'the key "{parts[-1]}" is unknown', fix)
    if kind == "missing":
        return document.finding(pointer, f'the key "{parts[-1]}" is missing', f"add `{parts[-1]}:` here")
    if kind in _TYPES:
        got = _type_name(error["input"])
        return document.finding(pointer, f"wrong type: this is {got}", f"write {_TYPES[kind]}")
    if kind in ("literal_error", "enum"):
        return document.finding(pointer, f'"{error["input"]}" is not one of the choices', f"choose {ctx['expected']}")
    if kind == "value_error":
        what, _, expected = str(ctx["error"]).partition(": ")
        return document.finding(pointer, what, f"write {expected}")
    return document.finding(pointer, *_out_of_range(error, ctx))


def _out_of_range(error: Any, ctx: Any) -> tuple[str, str]:
    kind, value = error["type"], error["input"]
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = f"{ctx['ge']} or more" if "ge" in ctx else f"{ctx['le']} or less"
        return f"{value} is out of range", f"write {bound}"
    if "min_length" in ctx and not value:
        return "this is empty", "write at least one" if isinstance(value, list | dict) else "write something"
    if "max_length" in ctx or "min_length" in ctx:
        word = "letters" if isinstance(value, str) else "entries"
        bound = f"{ctx['min_length']} or more" if "min_length" in ctx else f"{ctx['max_length']} or fewer"
        return f"this has {len(value)} {word}", f"write {bound}"
    return f"{error['msg'].lower()}, this is {value!r}", "correct it"


def _type_name(value: Any) -> str:
    return "empty" if value is None else _NAMES.get(type(value), type(value).__name__)


def _keys_at(model: type[BaseModel], parts: list[str | int]) -> list[str]:
    """The keys a document may have at a place, in the model's order."""
    here: type[BaseModel] | None = model
    fields: Any = None
    for part in parts:
        if here is not None:
            fields = next((f.annotation for n, f in here.model_fields.items() if part in (n, f.alias)), None)
            here = fields if isinstance(fields, type) and issubclass(fields, BaseModel) else None
        else:
            here = _model_in(fields)
    here = here or _model_in(fields)
    return [f.alias or n for n, f in here.model_fields.items()] if here else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for m in map(_model_in, get_args(annotation)) if m is not None), None)
