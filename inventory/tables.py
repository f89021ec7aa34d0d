"""What `canh show` prints: a province's parts as rows of plain values, one function a part.

Each row is a mapping of strings, numbers, booleans, lists of strings and None; the keys are a contract
with programs that read `--json`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import IPv4Address
from types import MappingProxyType
from typing import TypeAlias

from inventory.lists import known_lists
from inventory.model import Device, Province, Service

Value: TypeAlias = str | int | bool | list[str] | None
Row: TypeAlias = dict[str, Value]


def sites(province: Province) -> list[Row]:
    """One row a site, in file order."""
    return [
        {
            "name": s.name,
            "title": s.title,
            "profile": s.profile,
            "unit": province.units[s.unit].name,
            "zone": s.zone,
            "uplinks": list(s.uplinks),
            "devices": [d.name for d in province.devices.values() if d.site == s.name],
        }
        for s in province.sites.values()
    ]


def devices(province: Province) -> list[Row]:
    """One row a device, in file order."""
    return [
        {
            "name": d.name,
            "site": d.site,
            "role": d.role.value,
            "platform": d.platform.value,
            "loopback": str(d.loopback) if d.loopback else None,
            "service_address": str(d.service_address),
            "management_address": str(d.management_address),
            "interfaces": [i.name for i in d.interfaces],
        }
        for d in province.devices.values()
    ]


def addresses(province: Province) -> list[Row]:
    """One row an address of a device, lowest first."""
    rows: list[tuple[IPv4Address, Row]] = []
    for d in province.devices.values():
        if d.loopback is not None:
            rows.append((d.loopback, _address(f"{d.loopback}/32", d, "lo", "loopback", None)))
        for i in d.interfaces:
            kind = "transit" if i.segment is None else province.segments[i.segment].kind.value
            rows.append((i.address.ip, _address(str(i.address), d, i.name, kind, i.segment or i.link)))
    return [row for _, row in sorted(rows, key=lambda r: r[0])]


def services(province: Province) -> list[Row]:
    """One row a service, in file order; a service of every device has no address of its own."""
    return [
        {
            "name": s.name,
            "device": s.device or "every-device",
            "address": _service_address(province, s),
            "protocol": s.protocol,
            "port": s.port,
            "out_of_band": s.is_out_of_band,
            "description": s.description,
            "level": s.level or None,
            "owner": s.owner or None,
        }
        for s in province.services.values()
    ]


def flows(province: Province) -> list[Row]:
    """One row a flow, in file order, with both ends as networks."""
    return [
        {
            "name": f.name,
            "source": f.source,
            "service": f.service,
            "protocol": f.protocol,
            "port": f.port,
            "out_of_band": f.is_out_of_band,
            "source_networks": [str(n) for n in f.source_networks],
            "destination_networks": [str(n) for n in f.destination_networks],
            "reason": f.reason,
        }
        for f in province.flows.values()
    ]


def lists(province: Province) -> list[Row]:
    """One row a list a province may keep, by name; one it does not keep has no values and no owner."""
    kept = province.lists
    return [
        {
            "name": name,
            "values": list(province.listed(name)),
            "checked": kept[name].checked.isoformat() if name in kept else None,
            "owner": kept[name].owner if name in kept else None,
            "kind": known.kind.value,
            "about": known.about,
        }
        for name, known in sorted(known_lists().items())
    ]


TABLES: Mapping[str, Callable[[Province], list[Row]]] = MappingProxyType(
    {"sites": sites, "devices": devices, "addresses": addresses, "services": services, "flows": flows, "lists": lists}
)


def _address(address: str, device: Device, interface: str, kind: str, on: str | None) -> Row:
    return {"address": address, "device": device.name, "interface": interface, "kind": kind, "on": on}


def _service_address(province: Province, service: Service) -> str | None:
    if service.device is None:
        return None
    device = province.devices[service.device]
    return str(device.management_address if service.is_out_of_band else device.service_address)
