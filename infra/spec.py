"""What a machine and a link of a lab are, as values; nothing here touches the host.

`layout` derives them from the inventory, the Pulumi program carries them, `machine` and
`netns` make them real. A spec's digest tells whether what runs is what is asked for.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from ipaddress import IPv4Interface
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFile:
    """A file put into a machine before it boots; `path` is absolute inside the machine."""

    path: str
    content: str = field(repr=False)
    mode: int = 0o644
    is_secret: bool = False
    owner: int = 0  # uid and gid


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """A folder of the host seen inside the machine; without a source, a folder hidden from it."""

    source: str
    target: str
    is_read_only: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineSpec:
    """One machine. `layers` are the read-only root file systems, uppermost first."""

    lab: str
    device: str
    kind: str
    layers: tuple[str, ...]
    files: tuple[MachineFile, ...]
    binds: tuple[Bind, ...]
    management: IPv4Interface
    mac: str  # of mgmt0
    forwards: bool

    @property
    def digest(self) -> str:
        """Hash of everything above; secrets go in as their own hash."""
        parts = [self.lab, self.device, self.kind, *self.layers, str(self.management), self.mac, str(self.forwards)]
        parts += [f"{b.source}:{b.target}:{b.is_read_only}" for b in self.binds]
        for file in self.files:
            content = hashlib.sha256(file.content.encode()).hexdigest()
            parts.append(f"{file.path}:{file.mode:o}:{file.owner}:{content}")
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkEnd:
    device: str
    interface: str
    mac: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSpec:
    """One point-to-point link between two machines."""

    lab: str
    name: str
    a: LinkEnd
    b: LinkEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class StationSpec:
    """The engineer's workstation and the fences of the host."""

    lab: str
    address: IPv4Interface
    network: str
    network6: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabSpec:
    """All of a lab."""

    lab: str
    data_dir: Path
    station: StationSpec
    machines: tuple[MachineSpec, ...]
    links: tuple[LinkSpec, ...]
