"""Rules and events for the bench of matching: the community's, where they are at hand, and more of the same kind.

The community's rules and two recordings of Windows events stand outside the repository; CANH_SIGMA names their folder.
"""

from __future__ import annotations

import json
import os
import tarfile
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
SIGMA = Path(os.environ.get("CANH_SIGMA", ROOT.parent / "shared/sigma"))


def are_here() -> bool:
    return (SIGMA / "rules.tar.gz").is_file()


def rules_into(folder: Path) -> list[Path]:
    """Unpack the community's rules; their files by path."""
    with tarfile.open(SIGMA / "rules.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return sorted(folder.rglob("*.yml"))


def recordings() -> Iterator[tuple[str, list[bytes]]]:
    for path in sorted((SIGMA / "events").glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".json") and not name.startswith("__MACOSX"):
                    yield path.stem, archive.read(name).splitlines()


def every(files: list[Path], wanted: int, folder: Path) -> Path:
    """A folder of `wanted` of the rules, evenly chosen; beyond what there is, copies that look for other texts."""
    folder.mkdir()
    for at in range(min(wanted, len(files))):
        path = files[at * len(files) // min(wanted, len(files))]
        (folder / f"{at}.yml").write_bytes(path.read_bytes())
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for at in range(len(files), wanted):
        round_, number = divmod(at, len(files))
        rule = yaml.load(files[number].read_text("utf-8"), loader)
        rule["id"] = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{rule.get('id')} {round_}"))
        condition = rule["detection"].pop("condition")
        rule["detection"] = _varied(rule["detection"], round_) | {"condition": condition}
        (folder / f"{at}.yml").write_text(json.dumps(rule, default=str))
    return folder


def _varied(node: Any, round_: int, key: str = "") -> Any:
    """The same shape over other texts: what a second set of rules looks like to an index."""
    if isinstance(node, dict):
        return {name: _varied(value, round_, name) for name, value in node.items()}
    if isinstance(node, list):
        return [_varied(value, round_, key) for value in node]
    if not isinstance(node, str) or len(node) < 4 or {"re", "cidr", "expand", "fieldref"} & set(key.split("|")):
        return node
    middle = len(node) // 2
    return (
        f"{node[:middle]}{'qzj'[round_ % 3]}{round_}{node[middle:]}" if node[middle - 1] != "\\" else f"{node}{round_}"
    )
