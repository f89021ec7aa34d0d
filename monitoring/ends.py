"""What the inventory knows of the two ends of a connection, and of what passes between them.

`Ends` is built once from a province and is a look-up afterwards: an address is looked at once and
remembered. It holds plain values only, so it can be pickled.

An end's `kind` says what sort of place it is, whatever the province calls its zones:
    office, server, management, soc, transit, dmz, camera, video, guest, vpn
                        of a declared prefix: as its zone says, else as its kind of segment has it
    inside-unknown      a private address in no declared prefix
    internet            any other address that can be reached from anywhere
Loopback, link-local and multicast addresses have none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Generic, NamedTuple, TypeVar

from inventory.model import Province, Segment, SegmentKind
from monitoring.event import Value

Facts = Mapping[str, Value]
Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address
V = TypeVar("V")
Service = tuple[object, object]  # protocol, port: as fields of an event have them
_CACHE_SIZE = 65536
_PRIVILEGED = 1023  # an answer goes to a port no service listens at
_NOTHING: Mapping[Service, str] = {}
_OF_SEGMENT = {
    SegmentKind.LAN: "office",
    SegmentKind.SERVERS: "server",
    SegmentKind.SOC: "soc",
    SegmentKind.MANAGEMENT: "management",
}
_OF_LIST = {
    "site_prefixes": "office",
    "nat_pools": "transit",
    "vpn_pools": "vpn",
    "video_networks": "video",
    "camera_networks": "camera",
}
# Ranges for documentation (RFC 5737) are not here: they are treated as the Internet they stand for.
_NOWHERE = ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "240.0.0.0/4")
_NOWHERE6 = ("::/128", "::1/128", "fe80::/10", "ff00::/8")
_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")


class _Place(NamedTuple):
    """What one prefix is. Empty: the inventory does not say."""

    kind: str = ""
    site: str = ""
    zone: str = ""
    is_known: bool = True


_INTERNET = _Place("internet", is_known=False)


class End(NamedTuple):
    """What is known of an address, and of every other of which the same is known."""

    source: Facts  # canh.src.* when it is one
    destination: Facts  # canh.dst.*
    site: str
    unit: str
    begins: int  # the flows it may begin, one bit each
    ends: int  # the flows that may end at it
    offered: Mapping[Service, str]  # the services of the inventory at it, and what they are called


class Ends:
    """Who an address is, and what may pass between two of them."""

    def __init__(self, province: Province) -> None:
        self._owner = {str(a): d.name for d in province.devices.values() for a in d.addresses}
        self._site_of = {d.name: d.site for d in province.devices.values()}
        self._zone_of = {name: site.zone for name, site in province.sites.items()}
        self._unit_of = {name: site.unit for name, site in province.sites.items()}
        # The engineer's workstation is declared but sends no logs: an end of connections, not a source.
        self._station = "" if province.lab is None else str(province.lab.station.ip)
        self._places: _Prefixes[_Place] = _Prefixes(_places(province))
        flows = tuple(province.flows.values())
        self._begins = _flows_of(flow.source_networks for flow in flows)
        self._ends = _flows_of(flow.destination_networks for flow in flows)
        self._flows: dict[Service, int] = {}
        for number, flow in enumerate(flows):
            service = (flow.protocol, flow.port)
            self._flows[service] = self._flows.get(service, 0) | 1 << number
        self._offered = _offered(province)
        self._alike: dict[object, End] = {}
        # Every event asks, so the pipeline looks here itself before it calls.
        self.by_address: dict[object, End] = {}

    def of(self, address: str) -> End:
        """The end an address is."""
        end = self.by_address.get(address)
        if end is None:
            if len(self.by_address) >= _CACHE_SIZE:
                self.by_address.clear()
            end = self.by_address[address] = self._look_up(address)
        return end

    def is_declared(self, source: End, destination: End, service: Service, source_port: object) -> bool:
        """Whether a flow of the inventory allows it: as it is asked for or, to a port above 1023, as an answer.

        service: protocol and port it goes to.
        """
        if self._flows.get(service, 0) & source.begins & destination.ends:
            return True
        protocol, port = service
        if source_port is None or not isinstance(port, int) or port <= _PRIVILEGED:
            return False
        return bool(self._flows.get((protocol, source_port), 0) & destination.begins & source.ends)

    def _look_up(self, address: str) -> End:
        owner, parsed = self._owner.get(address, ""), _parsed(address)
        facts: dict[str, Value] = {"known": bool(owner) or address == self._station}
        if owner:
            facts["device"] = owner
        if parsed is None:
            return self._made(facts, "", 0, 0, _NOTHING)
        place = next(self._places.around(parsed), _INTERNET)
        site = place.site or self._site_of.get(owner, "")
        if site:
            facts |= {"site": site, "zone": place.zone or self._zone_of[site]}
        if place.kind:
            facts["kind"] = place.kind
        facts["known_prefix"] = place.is_known
        begins = reduce(int.__or__, self._begins.around(parsed), 0)
        ends = reduce(int.__or__, self._ends.around(parsed), 0)
        return self._made(facts, site, begins, ends, self._offered.get(address, _NOTHING))

    def _made(self, facts: Facts, site: str, begins: int, ends: int, offered: Mapping[Service, str]) -> End:
        """One End for all addresses of which the same is known: those of the Internet are a single one."""
        key = (tuple(facts.items()), begins, ends, tuple(offered.items()))
        end = self._alike.get(key)
        if end is None:
            end = self._alike[key] = End(
                {f"canh.src.{name}": value for name, value in facts.items()},
                {f"canh.dst.{name}": value for name, value in facts.items()},
                site,
                self._unit_of.get(site, ""),
                begins,
                ends,
                offered,
            )
        return end


class _Prefixes(Generic[V]):
    """Networks and what is known of each: those around an address, the smallest first."""

    def __init__(self, known: Iterable[tuple[Network, V]]) -> None:
        found: dict[tuple[int, int], dict[int, V]] = {}
        for network, value in known:
            shift = network.max_prefixlen - network.prefixlen
            found.setdefault((network.version, shift), {})[int(network.network_address) >> shift] = value
        self._by_size = tuple(sorted(found.items()))

    def around(self, address: Address) -> Iterator[V]:
        number = int(address)
        for (version, shift), values in self._by_size:
            if version == address.version and (number >> shift) in values:
                yield values[number >> shift]


def _flows_of(networks: Iterable[Iterable[Network]]) -> _Prefixes[int]:
    """The flows of each network, the n-th as bit n."""
    bits: dict[Network, int] = {}
    for number, of_flow in enumerate(networks):
        for network in of_flow:
            bits[network] = bits.get(network, 0) | 1 << number
    return _Prefixes(bits.items())


def _offered(province: Province) -> dict[str, dict[Service, str]]:
    """The services of each address: out of band at mgmt0, in band at every other."""
    found: dict[str, dict[Service, str]] = {}
    for device in province.devices.values():
        for service in province.services_of(device.name):
            for address in device.addresses:
                if (address == device.management_address) is service.is_out_of_band:
                    found.setdefault(str(address), {})[service.protocol, service.port] = service.name
    return found


def kind_of(segment: Segment, province: Province) -> str:
    """What sort of place a segment is: as its zone says, else as segments of its kind are."""
    zone = province.zones.get(segment.zone)
    return (zone.kind if zone is not None else "") or _OF_SEGMENT[segment.kind]


def _places(province: Province) -> Iterator[tuple[Network, _Place]]:
    """Declared prefixes, and those that are nobody's; of equal ones the last counts."""
    for written, kind in (*((n, "inside-unknown") for n in _PRIVATE), *((n, "") for n in (*_NOWHERE, *_NOWHERE6))):
        yield ip_network(written), _Place(kind, is_known=False)
    networks = province.networks
    for network, kind in (
        (networks.loopbacks, "transit"),
        (networks.transit, "transit"),
        *((n, "management") for n in province.policy.management_networks),
    ):
        yield network, _Place(kind)
    for segment in province.segments.values():
        yield segment.prefix, _Place(kind_of(segment, province), segment.site, segment.zone)
    for name, kind in _OF_LIST.items():
        for value in province.listed(name):
            yield ip_network(value), _Place(kind)


def _parsed(address: str) -> Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed
