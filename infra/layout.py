"""From the inventory to the machines and links of a lab: one pure step, `layout_of`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infra.day0 import hosts_file, identity_files, network_files
from infra.errors import LabError
from infra.names import mac_of
from infra.spec import Bind, LabSpec, LinkEnd, LinkSpec, MachineSpec, StationSpec
from inventory.model import Device, End, Province, Role

KIND_OF_ROLE = {
    Role.CORE: "router",
    Role.DISTRIBUTION: "router",
    Role.CE: "router",
    Role.FIREWALL: "firewall",
    Role.APPLICATION: "application",
    Role.SOC: "soc",
    Role.WORKSTATION: "workstation",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """ssh keys of a lab: who may log in, and what each machine proves itself with (private, public)."""

    authorized_key: str
    host_keys: Mapping[str, tuple[str, str]] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SocPaths:
    """What the SOC host sees of the host: the checkout, the Python libraries, the data directory."""

    app: Path
    lib: Path
    data: Path

    @property
    def binds(self) -> tuple[Bind, ...]:
        return (
            Bind(source=str(self.app), target="/opt/canh/app"),
            Bind(source=str(self.lib), target="/opt/canh/lib"),
            Bind(source=str(self.data), target="/var/lib/canh", is_read_only=False),
            # Keys to every machine, and what ssh on the host does: none of the platform's business.
            Bind(source="", target="/var/lib/canh/lab"),
            *([Bind(source="", target=f"/opt/canh/app/{self._inside}")] if self._inside else []),
        )

    @property
    def _inside(self) -> str:
        """Top folder of the checkout that the data directory is in, "" when it is elsewhere."""
        return self.data.relative_to(self.app).parts[0] if self.data.is_relative_to(self.app) else ""


def kinds_of(province: Province) -> tuple[str, ...]:
    """Kinds of image the province needs, each once, in file order."""
    return tuple(dict.fromkeys(KIND_OF_ROLE[d.role] for d in province.devices.values()))


def layout_of(
    province: Province, *, lab: str, keys: Keys, layers_of: Callable[[str], tuple[str, ...]], soc_paths: SocPaths
) -> LabSpec:
    """Everything the lab `lab` consists of. Raises LabError when the province has no `lab` section."""
    if province.lab is None:
        raise LabError(
            f"province {province.slug} has no lab section, so nothing says which networks a lab may use",
            where="province.yaml /lab",
            fix="add lab: with network, network6 and station",
        )
    hosts = hosts_file(province)

    def machine(device: Device) -> MachineSpec:
        identity = identity_files(lab, device.name, keys.authorized_key, keys.host_keys[device.name])
        return MachineSpec(
            lab=lab,
            device=device.name,
            kind=KIND_OF_ROLE[device.role],
            layers=layers_of(KIND_OF_ROLE[device.role]),
            files=(*identity, hosts, *network_files(province, device)),
            binds=soc_paths.binds if device.role is Role.SOC else (),
            management=device.interface("mgmt0").address,
            mac=mac_of(device.name, "mgmt0"),
            forwards=device.is_router,
        )

    return LabSpec(
        lab=lab,
        data_dir=soc_paths.data,
        station=StationSpec(
            lab=lab,
            address=province.lab.station,
            network=str(province.lab.network),
            network6=str(province.lab.network6),
        ),
        machines=tuple(machine(d) for d in province.devices.values()),
        links=tuple(
            LinkSpec(lab=lab, name=link.name, a=_end(link.a), b=_end(link.b)) for link in province.links.values()
        ),
    )


def _end(end: End) -> LinkEnd:
    return LinkEnd(device=end.device, interface=end.interface, mac=mac_of(end.device, end.interface))
