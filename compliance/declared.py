"""What the inventory says of each asset, as facts that controls compare with: `$declared.<name>`."""

from __future__ import annotations

from collections.abc import Mapping

from compliance.model import PLATFORM, Facts
from inventory.model import Device, Province, Role


def declared(province: Province) -> Mapping[str, Facts]:
    """Declared facts by asset."""
    facts: dict[str, Facts] = {name: _of(province, device) for name, device in province.devices.items()}
    facts[PLATFORM] = {
        "devices": sorted(province.devices),
        "routers": sorted(d.name for d in province.devices.values() if d.is_router),
    }
    return facts


def _of(province: Province, device: Device) -> Facts:
    return {
        "name": device.name,
        "listeners": _listeners(province, device),
        "accounts": _accounts(province, device),
        "neighbours": _neighbours(province, device),
        "log_targets": [str(province.soc.service_address)],
        "time_sources": [str(province.soc.service_address)],
        "reachable": _reachable(province, device),
    }


def _listeners(province: Province, device: Device) -> list[str]:
    """Sockets that services of the inventory account for; one without a device is every device's."""
    own = {f"{s.protocol}/{s.port}" for s in province.services.values() if s.device in (device.name, None)}
    return sorted(own)


def _accounts(province: Province, device: Device) -> list[str]:
    names = {"root", *province.policy.automation_accounts}
    if not device.is_router:
        names.discard("netops")
    if device.role is Role.SOC:
        names.add("canh")
    return sorted(names)


def _neighbours(province: Province, device: Device) -> list[str]:
    """Router ids that must be neighbours: the routers at the other end of transit links."""
    ids = set()
    for link in province.links.values():
        for own, other in ((link.a, link.b), (link.b, link.a)):
            peer = province.devices[other.device]
            if own.device == device.name and peer.loopback is not None and device.loopback is not None:
                ids.add(str(peer.loopback))
    return sorted(ids)


def _reachable(province: Province, device: Device) -> list[str]:
    """Every "address:port" over TCP that a flow lets this device reach in band."""
    allowed = set()
    for flow in province.flows.values():
        if flow.protocol != "tcp" or flow.is_out_of_band:
            continue
        if any(device.service_address in network for network in flow.source_networks):
            allowed |= {f"{a}:{flow.port}" for network in flow.destination_networks for a in network}
    return sorted(allowed)
