"""A marked line written to each machine's log, so that `arrival` can look for it in the store."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from compliance.model import Facts
from inventory.model import Device

if TYPE_CHECKING:
    from compliance.gather import Scene

TAG = "canh-audit"


def command(scene: Scene, device: Device) -> str:
    return f"logger -t {TAG} {shlex.quote(marker(scene.run_id, device.name))} && echo written"


def marker(run_id: str, device: str) -> str:
    """The text that stands in the log; unique to a run and a machine."""
    return f"marker {run_id} {device}"


def facts(output: str) -> Facts:
    """`canary.written`: whether the machine took the line."""
    return {"canary.written": output.strip() == "written"}
