"""Network namespaces, veth pairs and the fences of a lab: the effects, each one idempotent.

A veth pair is made with both ends already inside their namespaces, in one kernel request:
whatever is killed, no end is ever left behind in the host's namespace.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from infra.command import run, succeeds
from infra.names import netns_path

# A namespace of a lab has no IPv6 unless a device's configuration asks for it, and may forward.
FORWARDING = {"net.ipv4.ip_forward": "1", "net.ipv4.conf.all.rp_filter": "0", "net.ipv4.conf.default.rp_filter": "0"}


# Both ends of a link ask for the same namespace at once; a half-made one looks like what a crash left.
_MAKING = threading.Lock()
FENCE_PROTOCOL = "250"  # marks our routes in the host's table; unassigned in iproute2's rt_protos


@dataclass(frozen=True, slots=True, kw_only=True)
class VethEnd:
    netns: str
    interface: str
    mac: str


def exists(netns: str) -> bool:
    """Whether the namespace is there and usable: a file without its mount (a crash) is not."""
    return netns_path(netns).exists() and Path("/proc/mounts").read_text().find(f" {netns_path(netns)} nsfs ") >= 0


def ensure(netns: str, *, forwarding: bool = False) -> None:
    """Make the namespace unless it is there; its loopback is up."""
    with _MAKING:
        if not exists(netns):
            netns_path(netns).unlink(missing_ok=True)
            run("ip", "netns", "add", netns)
    run("ip", "-n", netns, "link", "set", "lo", "up")
    if forwarding:
        run(
            "ip", "netns", "exec", netns, "sysctl", "-q", "-w", *(f"{key}={value}" for key, value in FORWARDING.items())
        )


def remove(netns: str) -> None:
    """Take the namespace away with every interface in it; nothing happens when it is not there."""
    if netns_path(netns).exists() and not succeeds("ip", "netns", "del", netns):
        run("umount", "-l", netns_path(netns))
        netns_path(netns).unlink(missing_ok=True)


def names(prefix: str) -> tuple[str, ...]:
    """Every namespace whose name starts with `prefix`."""
    folder = netns_path("x").parent
    return tuple(sorted(p.name for p in folder.glob(prefix + "*"))) if folder.is_dir() else ()


def interfaces(netns: str) -> Mapping[str, Mapping[str, object]]:
    """What `ip link` says of each interface of the namespace, by name; empty when the namespace is not there."""
    if not exists(netns):
        return {}
    return {str(row["ifname"]): row for row in json.loads(run("ip", "-n", netns, "-j", "link") or "[]")}


def is_pair(a: VethEnd, b: VethEnd) -> bool:
    """Whether the two ends are there, are each other's peer and carry their own MAC."""
    at_a, at_b = interfaces(a.netns).get(a.interface), interfaces(b.netns).get(b.interface)
    if at_a is None or at_b is None:
        return False
    facing = at_a.get("link_index") == at_b.get("ifindex") and at_b.get("link_index") == at_a.get("ifindex")
    return facing and at_a.get("address") == a.mac and at_b.get("address") == b.mac


def ensure_pair(a: VethEnd, b: VethEnd) -> None:
    """Join the two namespaces; an end that belongs to something else, or has lost its peer, is replaced."""
    if is_pair(a, b):
        return
    remove_end(a)
    remove_end(b)
    near = ["name", a.interface, "netns", a.netns, "address", a.mac]
    far = ["name", b.interface, "netns", b.netns, "address", b.mac]
    run("ip", "link", "add", *near, "type", "veth", "peer", *far)


def remove_end(end: VethEnd) -> None:
    """Take one end away, and its peer with it; nothing happens when it is not there."""
    if end.interface in interfaces(end.netns):
        run("ip", "-n", end.netns, "link", "del", end.interface)


def ensure_bridge(netns: str, bridge: str, address: str) -> None:
    """The out-of-band segment: a bridge with the station's address (with prefix length)."""
    if bridge not in interfaces(netns):
        run("ip", "-n", netns, "link", "add", bridge, "type", "bridge", "forward_delay", "0")
    run("ip", "-n", netns, "address", "replace", address, "dev", bridge)
    run("ip", "-n", netns, "link", "set", bridge, "up")


def join_bridge(netns: str, interface: str, bridge: str) -> None:
    run("ip", "-n", netns, "link", "set", interface, "master", bridge, "up")


def fence(network: IPv4Network, network6: str) -> None:
    """A packet of the host to a lab address goes nowhere, whatever is misconfigured."""
    run("ip", "route", "replace", "blackhole", str(network), "proto", FENCE_PROTOCOL)
    run("ip", "-6", "route", "replace", "unreachable", network6, "proto", FENCE_PROTOCOL)


def is_fenced(network: IPv4Network, network6: str) -> bool:
    """Whether both routes of `fence` are there."""
    return bool(
        run("ip", "route", "show", "type", "blackhole", "exact", str(network)).strip()
        and run("ip", "-6", "route", "show", "type", "unreachable", "exact", network6).strip()
    )


def unfence() -> None:
    """Take away every route `fence` has made; they are known by their protocol number, so no record is needed."""
    for family, kind in (("-4", "blackhole"), ("-6", "unreachable")):
        for line in run("ip", family, "route", "show", "type", kind, "proto", FENCE_PROTOCOL).splitlines():
            run("ip", family, "route", "del", kind, line.split()[1], "proto", FENCE_PROTOCOL)


def addresses(netns: str) -> Sequence[str]:
    """Every IPv4 address with its prefix length that is up in the namespace."""
    rows = json.loads(run("ip", "-n", netns, "-j", "-4", "address") or "[]")
    return [f"{a['local']}/{a['prefixlen']}" for row in rows for a in row.get("addr_info", [])]
