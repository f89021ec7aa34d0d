"""What every verb needs: where the province and the data are, and how to print."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from inventory.model import Province


@dataclass(frozen=True, kw_only=True)
class Context:
    province_dir: Path
    data_dir: Path
    json: bool

    @cached_property
    def province(self) -> Province:
        """The checked inventory. Raises InventoryError with every finding."""
        from inventory import load

        return load(self.province_dir)
