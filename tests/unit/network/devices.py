"""Routers on files: a `Device` that takes lines as the platform's facts say a device does.

State is on disk, so that a process can be killed while it changes one and another can look.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from inventory.model import Province
from network.errors import DeviceUnreachable, LineRejected
from network.platform import Platform, load_platform
from network.tree import Draft, lines_of, parse
from network.work import Work

DAY_0 = "frr version 8.4.4\nfrr defaults traditional\nhostname {name}\nlog syslog informational\n!\nend\n"
START = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)


@dataclass
class Fuse:
    """Kills its process, as `kill -9` does, at the step it was given (None: never)."""

    blows_at: int | None = None
    steps: int = 0

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.blows_at:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class FileLab:
    """The routers of a province, one file each."""

    folder: Path
    province: Province
    fuse: Fuse = field(default_factory=Fuse)
    unreachable: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)  # lines no router takes
    swallowed: set[str] = field(default_factory=set)  # lines every router takes and forgets
    on_send: Callable[[], object] | None = None  # what happens meanwhile, once
    platform: Platform = field(default_factory=lambda: load_platform("frr"))

    def boot(self) -> None:
        """Every router as on its first day."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for device in self.province.devices.values():
            if device.is_router:
                self.put(device.name, DAY_0.format(name=device.name))

    def text(self, name: str) -> str:
        return (self.folder / f"{name}.conf").read_text(encoding="utf-8")

    def saved(self, name: str) -> str | None:
        path = self.folder / f"{name}.saved"
        return path.read_text(encoding="utf-8") if path.exists() else None

    def put(self, name: str, text: str) -> None:
        part = self.folder / f"{name}.part"
        part.write_text(text, encoding="utf-8")
        part.rename(self.folder / f"{name}.conf")

    def type(self, name: str, *lines: str) -> None:
        """What somebody at the device types, one line after the other."""
        draft = Draft(parse(self.text(name), self.platform), self.platform)
        for line in lines:
            if line in self.refused:
                raise LineRejected(device=name, line=line, reply=f"% Unknown command: {line}")
            if line not in self.swallowed:
                draft.type(line)
            self.put(name, "\n".join(lines_of(draft.tree())) + "\n")
            self.fuse.step()

    def connect(self, name: str) -> FileDevice:
        if name in self.unreachable:
            raise DeviceUnreachable(f"{name} cannot be reached", device=name)
        return FileDevice(self, name)

    def neighbours(self, name: str) -> list[tuple[IPv4Address, str]]:
        """Far ends whose interface speaks OSPF as ours does."""
        found = []
        for link in self.province.links.values():
            for near, far in ((link.a, link.b), (link.b, link.a)):
                if near.device != name or not self.province.devices[far.device].is_router:
                    continue
                ours, theirs = self._ospf(name, near.interface), self._ospf(far.device, far.interface)
                router_id = self.province.devices[far.device].loopback
                if ours and ours == theirs and router_id is not None:
                    found.append((router_id, near.interface))
        return found

    def _ospf(self, name: str, interface: str) -> set[str]:
        tree = parse(self.text(name), self.platform)
        lines = {c.line for n in tree if n.line == f"interface {interface}" for c in n.children}
        return {line for line in lines if line.startswith(("ip ospf area", "ip ospf hello", "ip ospf dead"))}

    def work(self, data_dir: Path, **more: object) -> Work:
        """A change here: time stands still but for its order, and nothing is waited for."""
        clock = iter(range(10**9))

        def now() -> datetime:
            self.fuse.step()  # the engine asks the time once before each journal line
            return START + timedelta(milliseconds=next(clock))

        defaults: dict[str, object] = {"operator": "an.nguyen", "settle": timedelta(), "hold": timedelta(), "now": now}
        return Work(province=self.province, data_dir=data_dir, connect=self.connect, **{**defaults, **more})  # type: ignore[arg-type]


class FileDevice:
    def __init__(self, lab: FileLab, name: str) -> None:
        self._lab, self._name = lab, name

    @property
    def name(self) -> str:
        return self._name

    def running(self) -> str:
        self._reach()
        return "Building configuration...\n\nCurrent configuration:\n!\n" + self._lab.text(self._name) + "end\n"

    def show(self, command: str) -> str:
        self._reach()
        assert command == self._lab.platform.neighbours.command
        rows = [
            f"{router_id}   1 Full/-   1.234s   3.210s 10.0.0.1   {interface}:10.0.0.0   0 0 0"
            for router_id, interface in self._lab.neighbours(self._name)
        ]
        return "\n".join(["Neighbor ID     Pri State           Up Time         Dead Time Address  Interface", *rows])

    def send(self, lines: Sequence[str]) -> None:
        self._reach()
        self._lab.type(self._name, *lines)
        if self._lab.on_send is not None:
            meanwhile, self._lab.on_send = self._lab.on_send, None
            meanwhile()

    def save(self) -> None:
        self._reach()
        (self._lab.folder / f"{self._name}.saved").write_text(self._lab.text(self._name), encoding="utf-8")

    def close(self) -> None:
        pass

    def _reach(self) -> None:
        if self._name in self._lab.unreachable:
            raise DeviceUnreachable(f"{self._name} stopped answering", device=self._name)
