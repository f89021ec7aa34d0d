"""The newest backup of each router's configuration: its age, and whether it is what was written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from compliance.model import Facts
from network import backup
from network.errors import NotOnFile

if TYPE_CHECKING:
    from compliance.gather import Scene


def observe(scene: Scene) -> Mapping[str, str]:
    routers = [d.name for d in scene.province.devices.values() if d.is_router]
    return {name: json.dumps(_newest(scene, name)) for name in routers}


def _newest(scene: Scene, device: str) -> dict[str, object]:
    try:
        path = backup.latest(scene.data_dir, device)
    except NotOnFile:
        return {}
    age = backup.age(scene.data_dir, device, now=datetime.now(UTC))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    named = path.stem.rpartition("-")[2]
    return {
        "file": path.name,
        "sha256": digest,
        "age_s": round(age.total_seconds()) if age is not None else None,
        "intact": digest.startswith(named),
    }


def facts(output: str) -> Facts:
    """`backups.age_s`, `backups.intact`; nothing when there is no backup."""
    newest = json.loads(output)
    return {f"backups.{name}": newest[name] for name in ("age_s", "intact") if newest.get(name) is not None}
