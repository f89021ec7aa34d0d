"""The province as data: the only source of truth. See `docs/architecture.md`."""

from __future__ import annotations

from inventory._reading import read_as as read_document
from inventory.errors import InventoryError, OpsError
from inventory.finding import Finding
from inventory.loader import load, remarks, validate, write_allocations
from inventory.model import Province

__all__ = [
    "Finding",
    "InventoryError",
    "OpsError",
    "Province",
    "load",
    "read_document",
    "remarks",
    "validate",
    "write_allocations",
]
