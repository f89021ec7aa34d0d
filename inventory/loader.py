"""From the folder of a province to a Province, or to everything that is wrong with it.

folder ─ _yaml ─► data ─ _reading ─► documents ─ _expand ─► draft ─ _checks ─► findings
                                                              └─ plan, _assembly ─► Province
"""

from __future__ import annotations

import os
from pathlib import Path

from inventory._assembly import assemble
from inventory._checks import check
from inventory._expand import expand
from inventory._reading import Folder, read_folder, shown
from inventory.errors import InventoryError
from inventory.finding import Finding
from inventory.model import Province
from inventory.plan import Allocations, allocate, missing, release, text_of


def load(folder: Path) -> Province:
    """The province in `folder`, checked and addressed.

    Raises InventoryError, whose text lists every finding.
    """
    documents, findings = _examined(folder)
    if documents is None or findings:
        raise _refused(folder, findings)
    return assemble(documents, expand(documents), given_in(documents))


def validate(folder: Path) -> list[Finding]:
    """Everything wrong with the province in `folder`, in file order; empty when it is right.

    Raises InventoryError when there is no folder.
    """
    return _examined(folder)[1]


def write_allocations(folder: Path, *, prune: bool = False) -> tuple[str, ...]:
    """Give out what is missing and write allocations.yaml at once; returns the new entries ("transit core1--ce1").

    prune: also drop entries that nothing needs any more. Raises InventoryError when anything else is
    wrong with the province, or PoolExhausted; the file is untouched then.
    """
    documents, findings = _examined(folder, addressed=False)
    if documents is None or findings:
        raise _refused(folder, findings)
    draft, before = expand(documents), given_in(documents)
    lacking = missing(draft, before)
    province = documents.province.says
    station = [province.lab.station.ip] if province.lab else []
    kept = release(draft, before) if prune else before
    after = allocate(draft, kept, province.networks.to_domain(), station)
    if lacking or kept != before:
        _replace(folder / "allocations.yaml", text_of(after))
    return tuple(f"{n.kind} {n.key}" for n in lacking)


def given_in(documents: Folder) -> Allocations:
    """The allocation file as the plan uses it."""
    says = documents.allocations.says
    return Allocations(
        loopbacks=says.loopbacks,
        management=says.management,
        transit=says.transit,
        segments=says.segments,
        ports=says.ports,
    )


def _examined(folder: Path, *, addressed: bool = True) -> tuple[Folder | None, list[Finding]]:
    documents, findings = read_folder(folder)
    if documents is None:
        return None, findings
    found = [*findings, *check(documents, expand(documents), given_in(documents), addressed=addressed)]
    return documents, sorted(found, key=lambda f: _place(documents, f))


def _place(documents: Folder, finding: Finding) -> tuple[int, str, int]:
    """File order: province, units, services, profiles, sites, allocations; then the line."""
    file, _, line = finding.where.rpartition(":")
    order = ("province.yaml", "units.yaml", "services.yaml", "profiles", "sites", "allocations.yaml")
    path = Path(file)
    word = path.name if path.name in order else path.parent.name
    return order.index(word) if word in order else len(order), file, int(line)


def _refused(folder: Path, findings: list[Finding]) -> InventoryError:
    count = f"{len(findings)} finding{'s' if len(findings) > 1 else ''}"
    listed = "\n".join(f"{i}. {f}" for i, f in enumerate(findings, 1))
    return InventoryError(f"the province in {shown(folder)} cannot be used: {count}\n{listed}", findings=findings)


def _replace(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
