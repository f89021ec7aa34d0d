"""From the folder of a province to a Province, or to everything that is wrong with it.

folder ─ _yaml ─► data ─ _reading ─► documents ─ _expand ─► draft ─ _checks ─► findings
                                                              └─ plan, _assembly ─► Province
"""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

from inventory._assembly import assemble
from inventory._check_lists import calendar_remarks, list_remarks
from inventory._checks import check
from inventory._expand import expand
from inventory._reading import Folder, Reading, read_folder, shown
from inventory.allocations import text_of
from inventory.errors import InventoryError
from inventory.finding import Finding
from inventory.model import Province
from inventory.plan import allocate, missing, release


def load(folder: Path) -> Province:
    """The province in `folder`, checked and addressed.

    Raises InventoryError, whose text lists every finding.
    """
    documents = _sound(folder, addressed=True)
    return assemble(documents, expand(documents), documents.allocations.says.to_domain())


def validate(folder: Path) -> list[Finding]:
    """Everything wrong with the province in `folder`, in file order; empty when it is right.

    Raises InventoryError when there is no folder.
    """
    return _examined(folder, addressed=True)[1]


def remarks(folder: Path, today: date) -> list[Finding]:
    """What is right and deserves a look, in file order: old lists, a year without holidays. Nothing is refused for it.

    Raises InventoryError when there is no folder.
    """
    reading, _ = read_folder(folder)
    return sorted([*calendar_remarks(reading, today), *list_remarks(reading, today)], key=_place)


def write_allocations(folder: Path, *, prune: bool = False) -> tuple[str, ...]:
    """Give out what is missing and write allocations.yaml at once; returns the new entries ("transit core1--ce1").

    prune: also drop entries that nothing needs any more. Raises InventoryError when anything else is
    wrong with the province, or PoolExhausted; the file is untouched then.
    """
    documents = _sound(folder, addressed=False)
    draft, before = expand(documents), documents.allocations.says.to_domain()
    lacking = missing(draft, before)
    province = documents.province.says
    station = [province.lab.station.ip] if province.lab else []
    kept = release(draft, before) if prune else before
    after = allocate(draft, kept, province.networks.to_domain(), station)
    if after != before:
        _replace(folder / "allocations.yaml", text_of(after))
    return tuple(f"{n.kind} {n.key}" for n in lacking)


def _sound(folder: Path, *, addressed: bool) -> Folder:
    reading, findings = _examined(folder, addressed=addressed)
    documents = reading.whole()
    if documents is None or findings:
        raise _refused(folder, findings)
    return documents


def _examined(folder: Path, *, addressed: bool) -> tuple[Reading, list[Finding]]:
    reading, findings = read_folder(folder)
    findings.extend(check(reading, expand(reading), addressed=addressed))
    return reading, sorted(findings, key=_place)


def _place(finding: Finding) -> tuple[int, str, int]:
    """File order: province, units, services, profiles, sites, lists, allocations; then the line."""
    file, _, line = finding.where.rpartition(":")
    order = ("province.yaml", "units.yaml", "services.yaml", "profiles", "sites", "lists.yaml", "allocations.yaml")
    path = Path(file)
    word = path.name if path.name in order else path.parent.name
    return order.index(word) if word in order else len(order), file, int(line)


def _refused(folder: Path, findings: list[Finding]) -> InventoryError:
    count = f"{len(findings)} finding{'s' if len(findings) > 1 else ''}"
    listed = "\n".join(f"{i}. {f}" for i, f in enumerate(findings, 1))
    return InventoryError(f"the province in {shown(folder)} cannot be used: {count}\n{listed}", findings=findings)


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.new")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        what = f"the allocations cannot be written: {error.strerror}"
        raise InventoryError(what, where=shown(path), fix="make the folder writable, and leave room in it") from None
