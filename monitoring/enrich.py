"""What the inventory and the change journal know about an event.

The peer address decides who sent a message; a host name inside counts only from a declared relay.
`Sources` is built once from a province and is a look-up afterwards; the change journal is `changes`.

What the peer is and what the message calls itself are held against each other, as `canh.source.kind`:
    declared              a device of the inventory that calls itself so, or says no name
    relayed               a declared relay that names a device of the inventory
    relayed-undeclared    a declared relay that names none
    renamed               a device of the inventory under a name that is none
    claims-other          a device of the inventory under another one's name: NAT, an undeclared relay, or forged
    undeclared            an address of no device
    undeclared-claims     an address of no device under the name of one: NAT, a renumbered device, or forged
A name other than the sender's own stands in `canh.source.claimed`.
"""

from __future__ import annotations

from collections.abc import Mapping

from inventory.model import Device, Interface, Province, Role, SegmentKind
from monitoring.ends import kind_of
from monitoring.event import Value
from monitoring.parsers import ip_text

_OBSERVER = {Role.CORE: "router", Role.DISTRIBUTION: "router", Role.CE: "router", Role.FIREWALL: "firewall"}
_CACHE_SIZE = 65536
_LONGEST_NAME = 255  # RFC 5424
Facts = Mapping[str, Value]
_PORT_OF_LINK = {"uplink": "uplink", "core": "transit", "distribution": "transit", "access": "access"}


class Sources:
    """Who an address belongs to. Holds plain values only, so it can be pickled."""

    def __init__(self, province: Province, relays: frozenset[str] = frozenset()) -> None:
        self._relays = relays | {str(a) for d in province.devices.values() if d.is_log_relay for a in d.addresses}
        self._devices = {name: _device_facts(d, province) for name, d in province.devices.items()}
        self._platforms = {name: str(d.platform) for name, d in province.devices.items()}
        self._owner = {str(a): d.name for d in province.devices.values() for a in d.addresses}
        own = next((d.name for d in province.devices.values() if d.role is Role.SOC), None)
        if own is not None:  # what the platform's own host sends to itself
            self._owner |= {"127.0.0.1": own, "::1": own}
        # canh.port.* by device and interface. A mapping, because every event asks.
        self.ports: Mapping[tuple[str, object], Facts] = {
            (d.name, i.name): _port_facts(i, province) for d in province.devices.values() for i in d.interfaces
        }
        self._by_peer: dict[tuple[str, str, str], Facts] = {}

    def device_of(self, peer: str, claimed: str) -> str:
        """The device that sent a message, "" when it is none of the inventory."""
        if peer in self._relays and (named := self._named(claimed)):
            return named
        return self._owner.get(peer, "")

    def platform_of(self, device: str) -> str:
        return self._platforms.get(device, "")

    def facts_of(self, peer: str, device: str, claimed: str = "") -> Facts:
        """host.*, observer.* and canh.* of the sender. claimed: the host name in the message."""
        key = (peer, device, claimed)
        facts = self._by_peer.get(key)
        if facts is None:
            if len(self._by_peer) >= _CACHE_SIZE:
                self._by_peer.clear()
            facts = self._by_peer[key] = self._sender(peer, device) | self._kind(peer, claimed)
        return facts

    def _named(self, claimed: str) -> str:
        """The device a name or address in a message stands for, "" for none; domains are left off."""
        name = claimed.lower()
        return next((n for n in (name, name.partition(".")[0]) if n in self._devices), self._owner.get(claimed, ""))

    def _kind(self, peer: str, claimed: str) -> dict[str, Value]:
        own, named = self._owner.get(peer, ""), self._named(claimed)
        if claimed in ("", peer) or (own and named == own):
            return {"canh.source.kind": "declared" if own else "undeclared"}
        if peer in self._relays:
            kind = "relayed" if named else "relayed-undeclared"
        elif own:
            kind = "claims-other" if named else "renamed"
        else:
            kind = "undeclared-claims" if named else "undeclared"
        return {"canh.source.kind": kind, "canh.source.claimed": claimed[:_LONGEST_NAME]}

    def _sender(self, peer: str, device: str) -> dict[str, Value]:
        if not device:
            stranger: dict[str, Value] = {"canh.source.known": False}
            return stranger | {"host.name": peer, "host.ip": peer} if peer else stranger
        facts = {**self._devices[device], "canh.source.known": True}
        if peer in self._owner and peer not in ("127.0.0.1", "::1"):
            facts["host.ip"] = peer
        return facts


def peer_text(peer: str) -> str:
    """The peer's address in its usual form: an IPv4 address mapped into IPv6 is IPv4."""
    return ip_text(peer) or peer


def _port_facts(interface: Interface, province: Province) -> dict[str, Value]:
    """What an interface is for: uplink (of a site, at either end), transit, access, management."""
    link = None if interface.link is None else province.links[interface.link]
    segment = None if interface.segment is None else province.segments[interface.segment]
    if segment is None:
        return {} if link is None else {"canh.port.role": _PORT_OF_LINK[link.kind]}
    is_management = segment.kind is SegmentKind.MANAGEMENT
    return {
        "canh.port.role": "management" if is_management else "access",
        "canh.port.kind": kind_of(segment, province),
    }


def _device_facts(device: Device, province: Province) -> dict[str, Value]:
    site = province.sites[device.site]
    facts: dict[str, Value] = {
        "host.name": device.name,
        "host.ip": str(device.addresses[0]),
        "canh.site": device.site,
        "canh.unit": site.unit,
        "canh.zone": site.zone,
        "canh.role": str(device.role),
        "canh.platform": str(device.platform),
    }
    kind = _OBSERVER.get(device.role)
    if kind is not None:
        facts |= {"observer.name": device.name, "observer.type": kind}
    return facts
