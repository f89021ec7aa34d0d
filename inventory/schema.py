"""JSON Schema of the inventory's documents, for editors and the reference pages."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from inventory._documents import AllocationsDoc, ListsDoc, ProfileDoc, ProvinceDoc, ServicesDoc, SiteDoc, UnitsDoc

_DOCUMENTS: dict[str, type[BaseModel]] = {
    "province": ProvinceDoc,
    "units": UnitsDoc,
    "services": ServicesDoc,
    "profile": ProfileDoc,
    "site": SiteDoc,
    "lists": ListsDoc,
    "allocations": AllocationsDoc,
}


def schemas() -> dict[str, dict[str, Any]]:
    """The schema of each kind of document, by its name: "site" for sites/<slug>.yaml."""
    return {name: model.model_json_schema(by_alias=True) for name, model in _DOCUMENTS.items()}
