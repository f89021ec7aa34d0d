"""Errors every package raises: what, where, how to fix.

OpsError                 cannot go on; shown to the user as it prints, exit code 2
└── one family a package (InventoryError here, LabError in infra, ...)

They live here because `inventory` is the one package that everything may import.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from inventory.finding import Finding


class OpsError(Exception):
    """Cannot go on. `str()` gives the message people see: what, at where, fix."""

    def __init__(self, what: str, *, where: object = None, fix: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.fix = what, where, fix

    def __str__(self) -> str:
        where = f"\n  at {self.where}" if self.where else ""
        fix = f"\n  fix: {self.fix}" if self.fix else ""
        return self.what + where + fix


class InventoryError(OpsError):
    """The inventory cannot be used; `findings` says everything that is wrong with it."""

    def __init__(self, what: str, *, where: object = None, fix: str = "", findings: Sequence[Finding] = ()) -> None:
        super().__init__(what, where=where, fix=fix)
        self.findings = tuple(findings)
