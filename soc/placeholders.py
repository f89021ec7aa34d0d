"""What the inventory says is normal, as Sigma placeholders: `%mgmt_networks%` and the like.

Left of the rules: a rule names a placeholder, `sigma.expand` puts these values in before the rule
is compiled. A value is text as Sigma writes it; an empty tuple is a placeholder nobody filled in: it never
matches, and a rule that excepts it is refused. `NOBODY` is one of which the province said that there is none
(`scanners: {values: [], checked: ...}`): it never matches either, and a rule that excepts it runs.
Every list a province may keep (`inventory/list_names.yaml`) is a placeholder, and adds to what is derived here.

Domains stand without a dot in front: `endswith|expand: '@%official_domains%'`, `'.%official_suffixes%'`.
Addresses may stand after `cidr|expand`, too. For what differs from device to device (is this interface an
uplink, is this flow declared) rules read the facts of the event instead: canh.port.role, canh.flow.declared.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv4Address

from inventory.lists import known_lists
from inventory.model import Province, Role, Segment, SegmentKind, Service

Placeholders = Mapping[str, tuple[str, ...]]

NOBODY = ("",)  # no value of an event is empty text
_ROUTERS = (Role.CORE, Role.DISTRIBUTION, Role.FIREWALL, Role.CE)
_UPLINKS = ("uplink", "core")  # kinds of link


def of(province: Province) -> dict[str, tuple[str, ...]]:
    """Every placeholder a rule may name. Sorted and without doubles, so that equal inventories give equal rules."""
    lists = {name: list(province.listed(name)) for name in known_lists()}
    found = {**lists}
    for part in (_people(province), _networks(province), _hosts(province), _names(province)):
        for name, values in part.items():
            found[name] = [*found.get(name, ()), *values]
    # Those of `accounts` have rules of their own (`soc.policy`): where from and when is known of each.
    found["service_accounts"] += province.accounts
    found["unbound_service_accounts"] = [a for a in found["service_accounts"] if a not in province.accounts]
    found["leader_names"] = [form for name in found["leader_names"] for form in (name, without_accents(name))]
    found["known_accounts"] = [a for name in ("automation_accounts", "admin_accounts") for a in found[name]]
    return {
        name: tuple(sorted(set(values))) or (NOBODY if name in province.lists else ()) for name, values in found.items()
    }


def lateness_of(province: Province) -> timedelta:
    """How long matches that feed correlations wait for stragglers: a lab has no slow lines."""
    return timedelta(seconds=2 if province.lab is not None else 5)


def _people(province: Province) -> dict[str, list[str]]:
    policy = province.policy
    return {
        "default_accounts": list(policy.default_accounts),
        "automation_accounts": list(policy.automation_accounts),
        "admin_accounts": list(policy.administrators),
        "working_hours": [str(hour) for hour in range(*policy.working_hours)],
    }


def _networks(province: Province) -> dict[str, list[str]]:
    segments, networks = tuple(province.segments.values()), province.networks
    pools = [str(networks.loopbacks), str(networks.transit), str(networks.management)]
    return {
        "mgmt_networks": [str(n) for n in province.policy.management_networks],
        # where a device answers those who manage it: any address of its own but a host's in a segment
        "device_mgmt": [*pools, *(f"{address}/32" for address in _gateways(province))],
        "site_prefixes": [str(s.prefix) for s in segments if s.kind is not SegmentKind.MANAGEMENT],
        "lan_prefixes": _prefixes(segments, SegmentKind.LAN),
        "server_prefixes": _prefixes(segments, SegmentKind.SERVERS),
        "management_prefixes": _prefixes(segments, SegmentKind.MANAGEMENT),
    }


def _hosts(province: Province) -> dict[str, list[str]]:
    devices = province.devices.values()
    routers = province.devices_of(*_ROUTERS)
    soc = [str(a) for a in province.soc.addresses]
    station = [] if province.lab is None else [f"{province.lab.station.ip}/32"]
    return {
        "declared_addresses": [str(a) for d in devices for a in d.addresses],
        "syslog_sources": [str(a) for d in devices for a in d.addresses],
        "gateway_ips": _gateways(province),
        "routing_peers": [*_ends(province), *(str(d.loopback) for d in routers if d.loopback is not None)],
        "soc_addresses": soc,
        "snmp_managers": soc,
        "automation_hosts": [*(f"{a}/32" for a in soc), *station],
        "ntp_servers": _offering(province, 123),
        "dns_resolvers": _offering(province, 53),
        "dhcp_servers": _offering(province, 67),
    }


def _names(province: Province) -> dict[str, list[str]]:
    links = [link for link in province.links.values() if link.kind in _UPLINKS]
    return {
        "device_names": list(province.devices),
        "router_names": [d.name for d in province.devices_of(*_ROUTERS)],
        "firewall_names": [d.name for d in province.devices_of(Role.FIREWALL)],
        "server_names": [d.name for d in province.devices_of(Role.APPLICATION, Role.SOC)],
        "uplinks": [end.interface for link in links for end in (link.a, link.b)],
        "service_ports": [str(s.port) for s in province.services.values()],
    }


def _prefixes(segments: tuple[Segment, ...], kind: SegmentKind) -> list[str]:
    return [str(s.prefix) for s in segments if s.kind is kind]


def _gateways(province: Province) -> list[str]:
    """Addresses of routers and firewalls on segments, the out-of-band one left out."""
    return [
        str(interface.address.ip)
        for device in province.devices_of(*_ROUTERS)
        for interface in device.interfaces
        if interface.segment is not None and interface.name != "mgmt0"
    ]


def _ends(province: Province) -> list[str]:
    """Addresses routers speak to each other with; a link with a segment has hosts on it."""
    transit = (link for link in province.links.values() if link.segment is None)
    return [str(end.address.ip) for link in transit for end in (link.a, link.b)]


def _offering(province: Province, port: int) -> list[str]:
    """Addresses of devices that offer a service on a port."""
    services = (s for s in province.services.values() if s.port == port)
    return [str(a) for s in services for a in _addresses(province, s)]


def _addresses(province: Province, service: Service) -> tuple[IPv4Address, ...]:
    return () if service.device is None else province.devices[service.device].addresses


def without_accents(name: str) -> str:
    """A Vietnamese name as it is typed without its marks: mail in a leader's name comes in both forms."""
    parted = unicodedata.normalize("NFD", name.replace("đ", "d").replace("Đ", "D"))
    return "".join(letter for letter in parted if not unicodedata.combining(letter))
