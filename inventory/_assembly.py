"""The last step of the loader: drafts and their allocations become the Province.

Pure, and called only when nothing was found wrong, so every look-up here succeeds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import IPv4Interface, IPv4Network, collapse_addresses
from types import MappingProxyType
from typing import TypeVar
from zoneinfo import ZoneInfo

from inventory._documents import FlowDoc, ServiceDoc
from inventory._expand import DeviceDraft, Draft, SegmentDraft, WireDraft
from inventory._reading import Folder
from inventory.allocations import Allocations
from inventory.model import (
    Device,
    End,
    Flow,
    Interface,
    Link,
    Province,
    Role,
    Segment,
    SegmentKind,
    Service,
    Site,
)
from inventory.plan import addresses_in

ANY_DEVICE = "any-device"
EVERY_DEVICE = "every-device"
MANAGEMENT = "mgmt"  # the out-of-band segment
MANAGEMENT_ZONE = "management"
T = TypeVar("T")


def assemble(folder: Folder, draft: Draft, given: Allocations) -> Province:
    """The province its documents and allocations describe."""
    province = folder.province.says
    build = _Builder(folder, draft, given)
    devices = build.devices()
    segments = build.segments()
    services = {n: _service(n, s) for n, s in folder.services.says.services.items()}
    flows = {n: build.flow(n, f, devices, segments, services[f.to]) for n, f in folder.services.says.flows.items()}
    return Province(
        slug=province.slug,
        title=province.title,
        time_zone=province.time_zone,
        units=MappingProxyType({c: u.to_domain(c) for c, u in folder.units.says.units.items()}),
        zones=MappingProxyType({n: z.to_domain(n) for n, z in folder.services.says.zones.items()}),
        sites=_named(build.sites(), lambda s: s.name),
        devices=MappingProxyType(devices),
        segments=MappingProxyType(segments),
        links=_named(build.links(), lambda x: x.name),
        services=MappingProxyType(services),
        flows=MappingProxyType(flows),
        policy=province.policy.to_domain(ZoneInfo(province.time_zone)),
        networks=province.networks.to_domain(),
        lab=province.lab.to_domain() if province.lab else None,
        lists=MappingProxyType({n: x.to_domain(n) for n, x in folder.lists.says.lists.items()}),
        accounts=MappingProxyType({n: x.to_domain(n) for n, x in folder.lists.says.accounts.items()}),
    )


def _named(things: Iterable[T], name: Callable[[T], str]) -> MappingProxyType[str, T]:
    return MappingProxyType({name(t): t for t in things})


def _service(name: str, doc: ServiceDoc) -> Service:
    return Service(
        name=name,
        device=None if doc.device == EVERY_DEVICE else doc.device,
        protocol=doc.protocol,
        port=doc.port,
        description=doc.description,
        is_out_of_band=doc.out_of_band,
        owner=doc.owner,
        level=doc.level,
    )


class _Builder:
    """Gives drafts their addresses."""

    def __init__(self, folder: Folder, draft: Draft, given: Allocations) -> None:
        self.folder, self.draft, self.given = folder, draft, given
        self.networks = folder.province.says.networks
        self.drafts = {s.name: s for s in draft.segments}
        self.wires_of: dict[str, list[WireDraft]] = {d.name: [] for d in draft.devices}
        for wire in draft.wires:
            for end in filter(None, (wire.a, wire.b)):
                self.wires_of[end].append(wire)

    def prefix(self, segment: SegmentDraft) -> IPv4Network:
        return segment.fixed or self.given.segments[segment.name]

    def sites(self) -> list[Site]:
        uplinks: dict[str, list[str]] = {}
        for wire in self.draft.wires:
            if wire.kind == "uplink":
                uplinks.setdefault(wire.site, []).append(wire.name)
        return [
            Site(
                name=name,
                title=site.says.title,
                profile=site.says.profile,
                unit=site.says.unit,
                zone=site.says.zone or self.folder.profiles[site.says.profile].says.zone,
                uplinks=tuple(uplinks.get(name, ())),
            )
            for name, site in self.folder.sites.items()
        ]

    def devices(self) -> dict[str, Device]:
        return {d.name: self._device(d) for d in self.draft.devices}

    def _device(self, draft: DeviceDraft) -> Device:
        data = sorted(
            (self._interface(draft.name, wire) for wire in self.wires_of[draft.name]), key=lambda i: int(i.name[3:])
        )
        management = Interface(
            name="mgmt0",
            address=_interface(self.given.management[draft.name], self.networks.management.prefixlen),
            description="out-of-band management",
            segment=MANAGEMENT,
        )
        return Device(
            name=draft.name,
            site=draft.site,
            role=draft.role,
            platform=draft.platform,
            loopback=self.given.loopbacks[draft.name] if draft.has_loopback else None,
            interfaces=(*data, management),
            is_log_relay=draft.is_log_relay,
        )

    def _interface(self, device: str, wire: WireDraft) -> Interface:
        port = self.given.ports[f"{device}/{wire.segment or wire.name}"]
        far = wire.b if device == wire.a else wire.a
        return Interface(
            name=f"eth{port}",
            address=self._address(device, wire),
            description=f"to {far}" if far else f"to {wire.segment}",
            link=wire.name if wire.b else None,
            segment=wire.segment,
        )

    def _address(self, device: str, wire: WireDraft) -> IPv4Interface:
        if wire.segment is None:
            pair = self.given.transit[wire.name]
            return _interface(pair[0] if device == wire.a else pair[1], 31)
        segment = self.drafts[wire.segment]
        prefix = self.prefix(segment)
        gateway, host = addresses_in(segment, prefix)
        return _interface(gateway if device == wire.a else host, prefix.prefixlen)

    def segments(self) -> dict[str, Segment]:
        """All segments, the management one last; it counts as part of the SOC host's site."""
        found = {
            s.name: Segment(name=s.name, site=s.site, kind=s.kind, zone=s.zone, prefix=self.prefix(s))
            for s in self.draft.segments
        }
        found[MANAGEMENT] = Segment(
            name=MANAGEMENT,
            site=next(d.site for d in self.draft.devices if d.role is Role.SOC),
            kind=SegmentKind.MANAGEMENT,
            zone=MANAGEMENT_ZONE,
            prefix=self.networks.management,
        )
        return found

    def links(self) -> list[Link]:
        return [self._link(w, w.b) for w in self.draft.wires if w.b is not None]

    def _link(self, wire: WireDraft, b: str) -> Link:
        def end(device: str) -> End:
            at = self._interface(device, wire)
            return End(device=device, interface=at.name, address=at.address)

        return Link(
            name=wire.name,
            kind=wire.kind,
            a=end(wire.a),
            b=end(b),
            bandwidth_bps=wire.bandwidth_bps,
            backup=wire.backup,
            segment=wire.segment,
        )

    def flow(
        self, name: str, doc: FlowDoc, devices: dict[str, Device], segments: dict[str, Segment], service: Service
    ) -> Flow:
        sources = [n for source in doc.source for n in self._sources(source, devices, segments)]
        servers = devices.values() if service.device is None else [devices[service.device]]
        ends = [d.management_address if service.is_out_of_band else d.service_address for d in servers]
        return Flow(
            name=name,
            source=", ".join(doc.source),
            source_networks=tuple(collapse_addresses(sources)),
            service=service.name,
            reason=doc.reason,
            destination_networks=tuple(collapse_addresses(IPv4Network(e) for e in ends)),
            protocol=service.protocol,
            port=service.port,
            is_out_of_band=service.is_out_of_band,
        )

    def _sources(self, source: str, devices: dict[str, Device], segments: dict[str, Segment]) -> list[IPv4Network]:
        """Networks a word of `from` stands for: a segment, a zone's segments, a device's in-band addresses."""
        if source == ANY_DEVICE:
            # The pools whole, so that a new site does not change every filter of the province.
            own = [n for d in devices.values() for n in _in_band(d)]
            return [self.networks.loopbacks, self.networks.transit, *own]
        if source in segments:
            return [segments[source].prefix]
        if source in devices:
            return _in_band(devices[source])
        return [s.prefix for s in segments.values() if s.zone == source]


def _in_band(device: Device) -> list[IPv4Network]:
    return [IPv4Network(a) for a in device.addresses if a != device.management_address]


def _interface(address: object, size: int) -> IPv4Interface:
    return IPv4Interface(f"{address}/{size}")
