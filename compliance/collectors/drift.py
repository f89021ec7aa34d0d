"""How each router's running configuration differs from what the inventory asks; secrets are masked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from compliance.model import Facts
from network import work_for
from network.errors import DeviceError
from network.operations import drift_of
from network.plan import survey, to_inventory

if TYPE_CHECKING:
    from compliance.gather import Scene


def observe(scene: Scene) -> Mapping[str, str]:
    """The lines that would take each router to its intended configuration, or why it could not be read.

    Only reads: unlike `canh drift` it does not end a change that was interrupted.
    """
    routers = [d.name for d in scene.province.devices.values() if d.is_router]
    found = survey(work_for(scene.province, scene.data_dir).connect, routers, to_inventory(scene.province))
    silent = {error.device: error.what for error in found.errors if isinstance(error, DeviceError)}
    read = {reading.device: {"lines": list(drift_of(reading).change)} for reading in found.readings}
    return {name: json.dumps(read.get(name) or {"error": silent.get(name, "could not be read")}) for name in routers}


def facts(output: str) -> Facts:
    """`drift.lines`. Raises ValueError when the router could not be read."""
    seen = json.loads(output)
    if "error" in seen:
        raise ValueError(seen["error"])
    return {"drift.lines": seen["lines"]}
