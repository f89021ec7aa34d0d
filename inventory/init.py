"""A small province to start from: what `canh init` writes."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from inventory.errors import InventoryError
from inventory.loader import write_allocations

SKELETON = Path(__file__).parent / "skeleton"


def write_skeleton(slug: str, folder: Path) -> tuple[Path, ...]:
    """Write a small valid province called `slug` into `folder`, all of it or nothing; returns its files.

    Raises InventoryError when the slug is not a name, or `folder` holds something or cannot be written.
    """
    if not re.fullmatch(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?", slug):
        fix = "choose lower-case letters, digits and hyphens, at most 32, a letter first, like thanh-hoa"
        raise InventoryError(f'"{slug}" cannot name a province', fix=fix)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InventoryError("there is something here already", where=folder, fix="name a new or empty folder")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
            made = Path(temporary) / "province"
            _copy(slug, made)
            write_allocations(made)
            made.rename(folder)
    except OSError as error:
        fix = "choose a folder you may write to"
        raise InventoryError(f"the province cannot be written: {error.strerror}", where=folder, fix=fix) from None
    return tuple(sorted(p for p in folder.rglob("*.yaml")))


def _copy(slug: str, made: Path) -> None:
    shutil.copytree(SKELETON, made, copy_function=shutil.copyfile)
    for path in made.rglob("*.yaml"):
        path.write_text(path.read_text(encoding="utf-8").replace("SLUG", slug), encoding="utf-8")
