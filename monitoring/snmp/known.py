"""Who the polled devices were, kept over a restart of ours: `<data>/stats/snmp-devices.json`.

A neighbour that is lost, a part that fails or a device that is swapped while the collector is down is
told after it. Counters and clocks are not kept: they are compared within one run only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from monitoring.durable import read_json, replace_json
from monitoring.snmp.neighbours import Neighbours, Remote
from monitoring.snmp.polling import Identity, Memory


class _Device(BaseModel):
    version: str = ""
    serial: str = ""
    engine_id: str = ""
    bad: dict[str, str] = {}
    bgp: dict[str, str] | None = None
    ospf: dict[str, str] | None = None
    lldp: dict[str, Remote] | None = None

    def to_domain(self) -> Memory:
        return Memory(
            bad=self.bad,
            identity=Identity(version=self.version, serial=self.serial, engine_id=self.engine_id),
            neighbours=Neighbours(bgp=self.bgp, ospf=self.ospf, lldp=self.lldp),
        )


def load(path: Path) -> dict[str, Memory]:
    """By device; what cannot be read is as if it had never been."""
    found = {}
    for device, written in read_json(path).items():
        try:
            found[device] = _Device.model_validate(written).to_domain()
        except ValidationError:
            continue
    return found


def is_news(before: Memory, now: Memory) -> bool:
    """Whether what is kept of a device is another than before."""
    return (before.identity, before.bad, before.neighbours) != (now.identity, now.bad, now.neighbours)


def save(path: Path, devices: Mapping[str, Memory]) -> None:
    """Replaces the file. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_json(path, {device: _written(memory) for device, memory in devices.items()})


def _written(memory: Memory) -> dict[str, Any]:
    identity, near = memory.identity, memory.neighbours
    return {
        "version": identity.version,
        "serial": identity.serial,
        "engine_id": identity.engine_id,
        "bad": dict(memory.bad),
        "bgp": near.bgp,
        "ospf": near.ospf,
        "lldp": near.lldp,
    }
