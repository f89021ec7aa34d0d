#!/usr/bin/env python3
"""The inventory Ansible reads, derived from the province: nobody writes a host list by hand.

Groups are kinds of host (router, firewall, application, soc, workstation: what an image is made
for), and `role_*`, `site_*`, `platform_*`. A host's variables are what role `host` renders: its
addresses, the flows that end at it or pass through it, and whom it reports to. Secrets are not
among them; the role reads them when it needs them.

Environment: CANH_PROVINCE (folder of the province), CANH_DATA (data directory of the lab).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# Started as a program, this folder stands first in the path and this file would hide the package `inventory`.
sys.path = [str(ROOT), *(p for p in sys.path if Path(p or ".").resolve() != Path(__file__).resolve().parent)]

from inventory import Province, load  # noqa: E402
from inventory.model import Device, Flow, Role, SegmentKind  # noqa: E402

KIND = {
    Role.CORE: "router",
    Role.DISTRIBUTION: "router",
    Role.CE: "router",
    Role.FIREWALL: "firewall",
    Role.APPLICATION: "application",
    Role.SOC: "soc",
    Role.WORKSTATION: "workstation",
}
# Both directions of a flow pass a site's edge, so it can keep state; two core routers may share them.
SYSLOG_TLS = 6514  # RFC 5425
EDGE = frozenset({Role.CE, Role.FIREWALL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of a packet filter. `told`: a new connection is worth a log line."""

    flow: str
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    protocol: str
    port: int
    told: bool
    out_of_band: bool = False


def ansible_inventory(province: Province, province_dir: Path, data_dir: Path, names: Iterable[str]) -> dict[str, Any]:
    """The document `--list` prints, for the devices called `names`."""
    devices = [province.devices[name] for name in names]
    groups: dict[str, dict[str, list[str]]] = {}
    for device in devices:
        for group in groups_of(device):
            groups.setdefault(group, {"hosts": []})["hosts"].append(device.name)
    everyone = {
        "ansible_user": "ansible",
        "ansible_ssh_common_args": f"-F {data_dir / 'lab/ssh_config'}",
        "canh_data": str(data_dir),
        "canh_province": os.path.relpath(province_dir, ROOT),
    }
    hostvars = {device.name: dict(host_variables(province, device)) for device in devices}
    return {"_meta": {"hostvars": hostvars}, "all": {"vars": everyone}, **dict(sorted(groups.items()))}


def groups_of(device: Device) -> tuple[str, ...]:
    return (
        KIND[device.role],
        f"role_{device.role}",
        f"site_{device.site.replace('-', '_')}",
        f"platform_{device.platform}",
    )


def host_variables(province: Province, device: Device) -> Iterator[tuple[str, Any]]:
    """What role `host` needs to know of one device; its meta/argument_specs.yml explains each."""
    soc = str(province.soc.service_address)
    yield "ansible_host", str(device.management_address)
    yield "canh_role", str(device.role)
    yield "canh_site", device.site
    yield "canh_site_title", province.sites[device.site].title
    yield "canh_contact", ", ".join(province.policy.administrators) or province.title
    yield "canh_service_address", str(device.service_address)
    yield "canh_management_networks", _texts(province.policy.management_networks)
    yield "canh_input", [asdict(r) for r in input_rules(province, device)]
    yield "canh_forward", [asdict(r) for r in forward_rules(province, device)]
    yield "canh_stateful", device.role in EDGE
    yield "canh_ospf_interfaces", [i.name for i in device.interfaces if i.link and not i.segment]
    yield "canh_lans", _lans(province, device)
    yield "canh_syslog_server", soc
    encrypted = any((s.protocol, s.port) == ("tcp", SYSLOG_TLS) for s in province.services_of(province.soc.name))
    yield "canh_syslog_tls", encrypted
    yield "canh_syslog_port", SYSLOG_TLS if encrypted else _port(province, "tcp", 514)
    yield "canh_soc_name", province.soc.name
    yield "canh_snmp_manager", soc
    yield "canh_trap_port", _port(province, "udp", 162)
    yield "canh_ntp_server", soc
    clients = {n for f in province.flows.values() if _is_ntp(province, f) for n in f.source_networks}
    yield "canh_ntp_clients", _texts(sorted(clients)) if device.role is Role.SOC else []


def input_rules(province: Province, device: Device) -> Iterator[Rule]:
    """The flows that end at `device`. A login is always told, whoever it is."""
    for flow in province.flows.values():
        own = [a for a in device.addresses if any(a in n for n in flow.destination_networks)]
        if own:
            yield _rule(flow, flow.source_networks, [IPv4Network(a) for a in own], told=flow.port == 22)


def forward_rules(province: Province, device: Device) -> Iterator[Rule]:
    """The flows that pass through `device`: at the edge of a site only those from or to the site itself."""
    if not device.is_router:
        return
    for flow in (f for f in province.flows.values() if not f.is_out_of_band):
        if device.role not in EDGE:
            yield _rule(flow, flow.source_networks, flow.destination_networks, told=False)
            continue
        site = _site_networks(province, device.site)
        told = flow.port == 22 or _is_from_an_office(province, flow)
        if sources := _within(flow.source_networks, site):
            yield _rule(flow, sources, flow.destination_networks, told=told)
        if destinations := _within(flow.destination_networks, site):
            yield _rule(flow, flow.source_networks, destinations, told=told)


def _rule(flow: Flow, sources: Iterable[IPv4Network], destinations: Iterable[IPv4Network], *, told: bool) -> Rule:
    return Rule(
        flow=flow.name,
        sources=tuple(_texts(sources)),
        destinations=tuple(_texts(destinations)),
        protocol=flow.protocol,
        port=flow.port,
        told=told,
        out_of_band=flow.is_out_of_band,
    )


def _site_networks(province: Province, site: str) -> list[IPv4Network]:
    """Networks behind a site's edge; the management network is nobody's to forward."""
    return [s.prefix for s in province.segments.values() if s.site == site and s.kind is not SegmentKind.MANAGEMENT]


def _within(networks: Iterable[IPv4Network], site: Iterable[IPv4Network]) -> list[IPv4Network]:
    """The part of `networks` that lies in `site`. Two prefixes either nest or do not meet."""
    pairs = ((n, s) for n in networks for s in site if n.overlaps(s))
    return [n if n.subnet_of(s) else s for n, s in pairs]


def _is_from_an_office(province: Province, flow: Flow) -> bool:
    """Whether people use the flow: whole LANs may send it, not single devices."""
    lans = [s.prefix for s in province.segments.values() if s.kind is SegmentKind.LAN]
    return any(lan.subnet_of(n) for lan in lans for n in flow.source_networks)


def _lans(province: Province, device: Device) -> list[dict[str, str]]:
    if device.role not in EDGE:
        return []
    towards_hosts = (i for i in device.interfaces if i.segment and i.name != "mgmt0")
    return [{"interface": i.name, "network": str(i.address.network)} for i in towards_hosts]


def _is_ntp(province: Province, flow: Flow) -> bool:
    return province.services[flow.service].device == province.soc.name and (flow.protocol, flow.port) == ("udp", 123)


def _port(province: Province, protocol: str, standard: int) -> int:
    """The port the SOC host offers a collector on: the standard one when declared, else by the service's name."""
    offered = [s for s in province.services_of(province.soc.name) if s.protocol == protocol]
    if any(s.port == standard for s in offered):
        return standard
    word = {514: "syslog", 162: "trap"}[standard]
    return next((s.port for s in offered if word in s.name), standard)


def _texts(networks: Iterable[IPv4Network | IPv4Address]) -> list[str]:
    """Networks as nftables and chrony write them; a /32 is an address."""
    return [str(n).removesuffix("/32") for n in networks]


def machines_up(data_dir: Path, province: Province) -> list[str]:
    """The devices to configure: the machines of the lab when there is one, else all of the province."""
    state = data_dir / "lab/lab.json"
    if not state.exists():
        return list(province.devices)
    machines: Mapping[str, Any] = json.loads(state.read_text())["machines"]
    return [name for name in province.devices if name in machines]


def main(arguments: list[str]) -> int:
    province_dir = Path(os.environ.get("CANH_PROVINCE", ROOT / "inventory/provinces/lab")).resolve()
    data_dir = Path(os.environ.get("CANH_DATA", "var")).resolve()
    province = load(province_dir)
    document = ansible_inventory(province, province_dir, data_dir, machines_up(data_dir, province))
    if "--host" in arguments:
        document = document["_meta"]["hostvars"].get(arguments[-1], {})
    print(json.dumps(document, indent=1, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
