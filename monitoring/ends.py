"""What the inventory knows of the two ends of a connection, and of what passes between them.

`Ends` is built once from a province and is a look-up afterwards: an address is looked at once and
remembered, and so is a pair. It holds plain values only, so it can be pickled.

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
K = TypeVar("K")
V = TypeVar("V")
Service = tuple[Value, Value]  # protocol, port: as fields of an event have them
_CACHE_SIZE = 16384  # of pairs: 10 MB
_NONE: frozenset[Service] = frozenset()
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
# Private or shared: not from anywhere. Ranges for documentation (RFC 5737) are treated as the Internet they stand for.
_PRIVATE = tuple(ip_network(n) for n in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))


class _Place(NamedTuple):
    """What one prefix is. Empty: the inventory does not say."""

    kind: str = ""
    site: str = ""
    zone: str = ""
    is_known: bool = True


class Pair(NamedTuple):
    """Two addresses. `allowed`: the services flows allow from the first to the second; `back`: the other way,
    which an answer (to a port no service listens at) comes from.
    """

    facts: Facts
    allowed: frozenset[Service]
    back: frozenset[Service]
    offered: Mapping[Service, str]  # what the second offers, and what it is called


class _End(NamedTuple):
    """One address. `sources`, `targets`: the flows it may begin, and end, one bit each."""

    facts: Facts  # without the side
    site: str
    unit: str
    sources: int
    targets: int


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
        self._services = tuple((flow.protocol, flow.port) for flow in flows)
        self._sources = _flows_of(flow.source_networks for flow in flows)
        self._targets = _flows_of(flow.destination_networks for flow in flows)
        self._offered = _offered(province)
        self._ends: dict[str, _End] = {}
        self._sided: dict[tuple[str, str], Facts] = {}
        self._pairs: dict[tuple[str, str], Pair] = {}

    def facts_of(self, side: str, address: str) -> Facts:
        """canh.src.* or canh.dst.* of one end of a connection."""
        key = (side, address)
        facts = self._sided.get(key)
        if facts is None:
            facts = {f"canh.{side}.{name}": value for name, value in self._end(address).facts.items()}
            _keep(self._sided, key, facts)
        return facts

    def pair(self, source: str, destination: str) -> Pair:
        """Everything about the two at once: the path of every packet a firewall tells of."""
        key = (source, destination)
        pair = self._pairs.get(key)
        if pair is None:
            a, b = self._end(source), self._end(destination)
            facts = {**self.facts_of("src", source), **self.facts_of("dst", destination)}
            if a.site and b.site:
                facts |= {"canh.flow.inter_site": a.site != b.site, "canh.flow.inter_unit": a.unit != b.unit}
            pair = Pair(
                facts,
                self._services_of(a.sources & b.targets),
                self._services_of(b.sources & a.targets),
                self._offered.get(destination, _NOTHING),
            )
            _keep(self._pairs, key, pair)
        return pair

    def _services_of(self, flows: int) -> frozenset[Service]:
        return frozenset(service for n, service in enumerate(self._services) if flows >> n & 1) if flows else _NONE

    def _end(self, address: str) -> _End:
        end = self._ends.get(address)
        if end is None:
            end = self._look_up(address)
            _keep(self._ends, address, end)
        return end

    def _look_up(self, address: str) -> _End:
        owner, parsed = self._owner.get(address, ""), _parsed(address)
        facts: dict[str, Value] = {"known": bool(owner) or address == self._station}
        if owner:
            facts["device"] = owner
        if parsed is None:
            return _End(facts, "", "", 0, 0)
        place = next(self._places.around(parsed), _stranger(parsed))
        site = place.site or self._site_of.get(owner, "")
        if site:
            facts |= {"site": site, "zone": place.zone or self._zone_of[site]}
        if place.kind:
            facts["kind"] = place.kind
        facts["known_prefix"] = place.is_known
        return _End(
            facts,
            site,
            self._unit_of.get(site, ""),
            reduce(int.__or__, self._sources.around(parsed), 0),
            reduce(int.__or__, self._targets.around(parsed), 0),
        )


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
    """Declared prefixes; of equal ones the last counts."""
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


def _stranger(address: Address) -> _Place:
    """An address in no declared prefix."""
    if any(address.version == n.version and address in n for n in _PRIVATE):
        return _Place("inside-unknown", is_known=False)
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        return _Place(is_known=False)
    if address.version == 4 and address >= IPv4Address("240.0.0.0"):
        return _Place(is_known=False)
    return _Place("internet", is_known=False)


def _parsed(address: str) -> Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


def _keep(cache: dict[K, V], key: K, value: V) -> None:
    if len(cache) >= _CACHE_SIZE:
        cache.clear()
    cache[key] = value
