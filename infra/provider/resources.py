"""What the plugin's resources are: how each is checked, named, made, looked at and removed.

Names come from content and making adopts what is already there, so an update that was killed
is simply run again. Nothing here knows of gRPC; `server` speaks the protocol.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network
from typing import Any, Protocol

from infra import machine, netns
from infra.names import MGMT_BRIDGE, LabNames
from infra.netns import VethEnd
from infra.spec import Bind, MachineFile, MachineSpec

Inputs = Mapping[str, Any]


class Resource(Protocol):
    """One type of resource. `replaces`: inputs whose change needs a new object; others are updated in place."""

    @property
    def replaces(self) -> frozenset[str]: ...
    @property
    def required(self) -> frozenset[str]: ...

    def identity(self, inputs: Inputs) -> str: ...
    def outputs(self, inputs: Inputs) -> dict[str, object]: ...
    def make(self, inputs: Inputs) -> None: ...
    def is_there(self, inputs: Inputs) -> bool: ...
    def remove(self, inputs: Inputs) -> None: ...


@dataclass(frozen=True, slots=True)
class Station:
    """The workstation's namespace with the management bridge, and the host's fences."""

    replaces: frozenset[str] = frozenset({"lab"})
    required: frozenset[str] = frozenset({"lab", "address", "network", "network6"})

    def identity(self, inputs: Inputs) -> str:
        return f"{inputs['lab']}/station"

    def outputs(self, inputs: Inputs) -> dict[str, object]:
        return {"netns": LabNames(lab=inputs["lab"]).station}

    def make(self, inputs: Inputs) -> None:
        station = LabNames(lab=inputs["lab"]).station
        netns.fence(IPv4Network(inputs["network"]), inputs["network6"])
        netns.ensure(station)
        netns.ensure_bridge(station, MGMT_BRIDGE, inputs["address"])

    def is_there(self, inputs: Inputs) -> bool:
        station = LabNames(lab=inputs["lab"]).station
        return (
            MGMT_BRIDGE in netns.interfaces(station)
            and inputs["address"] in netns.addresses(station)
            and netns.is_fenced(IPv4Network(inputs["network"]), inputs["network6"])
        )

    def remove(self, inputs: Inputs) -> None:
        # The fences stay: another lab of this machine may need them. `sweep` takes them with the last lab.
        netns.remove(LabNames(lab=inputs["lab"]).station)


@dataclass(frozen=True, slots=True)
class Link:
    """A veth pair between the namespaces of two machines."""

    replaces: frozenset[str] = frozenset({"lab", "name"})
    required: frozenset[str] = frozenset({"lab", "name", "a", "b"})

    def identity(self, inputs: Inputs) -> str:
        return f"{inputs['lab']}/{inputs['name']}"

    def outputs(self, inputs: Inputs) -> dict[str, object]:
        return {}

    def make(self, inputs: Inputs) -> None:
        a, b = self._ends(inputs)
        netns.ensure(a.netns)
        netns.ensure(b.netns)
        netns.ensure_pair(a, b)

    def is_there(self, inputs: Inputs) -> bool:
        return netns.is_pair(*self._ends(inputs))

    def remove(self, inputs: Inputs) -> None:
        for end in self._ends(inputs):
            netns.remove_end(end)

    def _ends(self, inputs: Inputs) -> tuple[VethEnd, VethEnd]:
        names = LabNames(lab=inputs["lab"])
        a, b = (
            VethEnd(netns=names.netns(end["device"]), interface=end["interface"], mac=end["mac"])
            for end in (inputs["a"], inputs["b"])
        )
        return a, b


@dataclass(frozen=True, slots=True)
class Machine:
    """A Debian host under systemd-nspawn."""

    replaces: frozenset[str] = frozenset({"lab", "device"})
    required: frozenset[str] = frozenset({"lab", "device", "kind", "layers", "files", "management", "mac"})

    def identity(self, inputs: Inputs) -> str:
        return f"{inputs['lab']}/{inputs['device']}"

    def outputs(self, inputs: Inputs) -> dict[str, object]:
        names = LabNames(lab=inputs["lab"])
        return {"netns": names.netns(inputs["device"]), "root": str(names.machine_dir(inputs["device"]) / "root")}

    def make(self, inputs: Inputs) -> None:
        machine.ensure(self._spec(inputs))

    def is_there(self, inputs: Inputs) -> bool:
        return machine.state(inputs["lab"], inputs["device"]).is_whole

    def remove(self, inputs: Inputs) -> None:
        machine.remove(inputs["lab"], inputs["device"])

    def _spec(self, inputs: Inputs) -> MachineSpec:
        return MachineSpec(
            lab=inputs["lab"],
            device=inputs["device"],
            kind=inputs["kind"],
            layers=tuple(inputs["layers"]),
            files=(
                *(_file(f, is_secret=False) for f in inputs["files"]),
                *(_file(f, is_secret=True) for f in inputs.get("secretFiles") or ()),
            ),
            binds=tuple(
                Bind(source=b["source"], target=b["target"], is_read_only=b["readOnly"])
                for b in inputs.get("binds") or ()
            ),
            management=IPv4Interface(inputs["management"]),
            mac=inputs["mac"],
            forwards=bool(inputs.get("forwards")),
        )


def _file(document: Mapping[str, Any], *, is_secret: bool) -> MachineFile:
    return MachineFile(
        path=document["path"],
        content=document["content"],
        mode=int(document["mode"]),
        owner=int(document["owner"]),
        is_secret=is_secret,
    )


RESOURCES: Mapping[str, Resource] = {
    "canh:lab:Station": Station(),
    "canh:lab:Link": Link(),
    "canh:lab:Machine": Machine(),
}


def changed(old: Inputs, new: Inputs) -> tuple[str, ...]:
    """Names of inputs that differ, sorted."""
    return tuple(sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key)))


def missing(resource: Resource, inputs: Inputs) -> tuple[str, ...]:
    """Required inputs that are absent or empty, sorted."""
    return tuple(sorted(key for key in resource.required if inputs.get(key) in (None, "")))
