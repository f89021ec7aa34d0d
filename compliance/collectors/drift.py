"""How each router's running configuration differs from what the inventory asks; secrets are masked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from compliance.model import Facts
from network import drift, work_for

if TYPE_CHECKING:
    from compliance.gather import Scene


def observe(scene: Scene) -> Mapping[str, str]:
    """The lines that would take each router to its intended configuration; routers that do not answer are left out."""
    found, errors = drift(work_for(scene.province, scene.data_dir))
    silent = {str(error.where): error.what for error in errors}
    read = {one.device: json.dumps({"lines": list(one.change)}) for one in found}
    routers = [d.name for d in scene.province.devices.values() if d.is_router]
    return {name: read.get(name, json.dumps({"error": silent.get(name, "could not be read")})) for name in routers}


def facts(output: str) -> Facts:
    """`drift.lines`. Raises ValueError when the router could not be read."""
    seen = json.loads(output)
    if "error" in seen:
        raise ValueError(seen["error"])
    return {"drift.lines": seen["lines"]}
