"""What the inventory says is normal, as Sigma placeholders: `%mgmt_networks%` and the like.

Left of the rules: a rule names a placeholder, `sigma.expand` puts these values in before the rule
is compiled. A value is text as Sigma writes it; an empty tuple is a placeholder that never matches.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv4Address

from inventory.model import Province, Role, SegmentKind, Service

Placeholders = Mapping[str, tuple[str, ...]]

_ROUTERS = (Role.CORE, Role.DISTRIBUTION, Role.FIREWALL, Role.CE)


def of(province: Province) -> dict[str, tuple[str, ...]]:
    """Every placeholder a rule may name. Sorted and without doubles, so that equal inventories give equal rules."""
    policy = province.policy
    devices = province.devices.values()
    segments = province.segments.values()
    routers = province.devices_of(*_ROUTERS)
    values: dict[str, list[str]] = {
        # who may manage, and from where
        "mgmt_networks": [str(n) for n in policy.management_networks],
        "default_accounts": list(policy.default_accounts),
        "automation_accounts": list(policy.automation_accounts),
        "admin_accounts": list(policy.administrators),
        "known_accounts": [*policy.automation_accounts, *policy.administrators],
        "working_hours": [str(hour) for hour in range(*policy.working_hours)],
        # what is declared
        "device_names": [d.name for d in devices],
        "declared_addresses": [str(a) for d in devices for a in d.addresses],
        "syslog_sources": [str(a) for d in devices for a in d.addresses],
        "site_prefixes": [str(s.prefix) for s in segments if s.kind is not SegmentKind.MANAGEMENT],
        "lan_prefixes": [str(s.prefix) for s in segments if s.kind is SegmentKind.LAN],
        "server_prefixes": [str(s.prefix) for s in segments if s.kind is SegmentKind.SERVERS],
        "management_prefixes": [str(s.prefix) for s in segments if s.kind is SegmentKind.MANAGEMENT],
        "router_names": [d.name for d in routers],
        "firewall_names": [d.name for d in province.devices_of(Role.FIREWALL)],
        "server_names": [d.name for d in province.devices_of(Role.APPLICATION, Role.SOC)],
        "routing_peers": [*_ends(province), *(str(d.loopback) for d in routers if d.loopback is not None)],
        "service_ports": [str(s.port) for s in province.services.values()],
        # the platform itself
        "soc_addresses": [str(a) for a in province.soc.addresses],
        "snmp_managers": [str(a) for a in province.soc.addresses],
        "ntp_servers": [str(a) for s in province.services.values() if s.port == 123 for a in _addresses(province, s)],
    }
    return {name: tuple(sorted(set(found))) for name, found in values.items()}


def lateness_of(province: Province) -> timedelta:
    """How long matches that feed correlations wait for stragglers: a lab has no slow lines."""
    return timedelta(seconds=2 if province.lab is not None else 5)


def _ends(province: Province) -> list[str]:
    """Addresses routers speak to each other with; a link with a segment has hosts on it."""
    transit = (link for link in province.links.values() if link.segment is None)
    return [str(end.address.ip) for link in transit for end in (link.a, link.b)]


def _addresses(province: Province, service: Service) -> tuple[IPv4Address, ...]:
    return () if service.device is None else province.devices[service.device].addresses
