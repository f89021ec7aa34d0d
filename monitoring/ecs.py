"""The field list: which fields there are, of which type, and which are columns of the store.

Read once from `ecs.yaml`. Everything that has to agree about a field (store, query language,
index templates) asks here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

import yaml

TYPES = frozenset({"keyword", "text", "long", "float", "boolean", "date", "ip"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldType:
    """Of what a field is made. `is_column`: it has a column of its own in the store."""

    name: str
    kind: str  # one of TYPES
    is_list: bool
    is_column: bool


@cache
def fields() -> Mapping[str, FieldType]:
    """Every listed field by name, columns first, in the order of the list."""
    document = yaml.safe_load(Path(__file__).with_name("ecs.yaml").read_text("utf-8"))
    listed = {
        name: _field(name, kind, group == "columns")
        for group in ("columns", "others")
        for name, kind in document[group].items()
    }
    return MappingProxyType(listed)


@cache
def columns() -> tuple[FieldType, ...]:
    return tuple(field for field in fields().values() if field.is_column)


def field_type(name: str) -> FieldType:
    """The type of any field; one in no list is a keyword in the JSON column."""
    return fields().get(name) or FieldType(name=name, kind="keyword", is_list=False, is_column=False)


def _field(name: str, written: str, is_column: bool) -> FieldType:
    kind = written.removesuffix("[]")
    if kind not in TYPES:
        raise ValueError(f"ecs.yaml: {name} has unknown type {written}")
    if kind == "ip" and not is_column:
        raise ValueError(
            f"ecs.yaml: {name} is an address: it must be one of the columns, a prefix needs it as a number"
        )
    return FieldType(name=name, kind=kind, is_list=written.endswith("[]"), is_column=is_column)
