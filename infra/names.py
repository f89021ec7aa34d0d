"""What a lab calls the things it makes; every name is a function of the lab's id and the device.

Because names come from content, a second run finds what the first one made, and a lab is
taken down by its id alone, without any record of what was built.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid5

from infra.errors import BadLabId

LABS = Path("/var/lib/canh/labs")
RUN_NETNS = Path("/run/netns")
IFNAME_LENGTH = 15  # IFNAMSIZ - 1
STATION = "station"
MGMT_BRIDGE = "mgmt"
NAMESPACE = UUID("5a0f3f0e-6b7e-5d53-9a0e-0c5b8b0f6c11")  # of machine ids


@dataclass(frozen=True, slots=True, kw_only=True)
class LabNames:
    """Names of everything in the lab `lab`: letters and digits, at most six, so that no id is another's prefix."""

    lab: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z0-9]{1,6}", self.lab):
            raise BadLabId(
                f"lab id {self.lab!r} is not 1 to 6 lower-case letters and digits",
                where="CANH_LAB",
                fix="choose an id such as lab or test1",
            )

    @property
    def prefix(self) -> str:
        return f"canh-{self.lab}-"

    @property
    def station(self) -> str:
        return self.prefix + STATION

    @property
    def directory(self) -> Path:
        return LABS / self.lab

    @property
    def machines(self) -> Path:
        return self.directory / "machines"

    def netns(self, device: str) -> str:
        return self.prefix + device

    def machine(self, device: str) -> str:
        return self.prefix + device

    def machine_dir(self, device: str) -> Path:
        return self.machines / device


def lab_id() -> str:
    """The id of the lab this process is about: env CANH_LAB, else `lab`."""
    return os.environ.get("CANH_LAB", "lab")


def cache_dir() -> Path:
    """Where images and tools are kept between labs and checkouts: env CANH_CACHE, else ~/.cache/canh."""
    return Path(os.environ.get("CANH_CACHE") or Path.home() / ".cache/canh")


def netns_path(netns: str) -> Path:
    return RUN_NETNS / netns


def mac_of(device: str, interface: str) -> str:
    """The locally administered MAC of an interface, the same in every run and lab (they never meet)."""
    octets = hashlib.sha256(f"{device}/{interface}".encode()).digest()[:5]
    return ":".join(f"{octet:02x}" for octet in (0x02, *octets))


def machine_id_of(lab: str, device: str) -> str:
    """The systemd machine id: 32 hex digits, never shared by two machines."""
    return uuid5(NAMESPACE, f"{lab}/{device}").hex


def bridge_port_of(device: str) -> str:
    """The station's end of a machine's mgmt0: the device's name where it fits into an interface name."""
    if len(device) <= IFNAME_LENGTH and device not in (MGMT_BRIDGE, "lo"):
        return device
    return device[:8] + "-" + hashlib.sha256(device.encode()).hexdigest()[:6]
