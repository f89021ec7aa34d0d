"""Faults of services and flows: names nobody has, and traffic that could never pass."""

from __future__ import annotations

from collections.abc import Iterator

from inventory._assembly import ANY_DEVICE, EVERY_DEVICE, MANAGEMENT, MANAGEMENT_ZONE
from inventory._check_documents import meant
from inventory._documents import ServicesDoc
from inventory._expand import Draft
from inventory._reading import Reading
from inventory._yaml import Document, pointer_of
from inventory.finding import Finding


def service_findings(reading: Reading, draft: Draft) -> Iterator[Finding]:
    """Everything wrong in services.yaml that the document alone does not show."""
    if reading.services is None:
        return
    checked = _Services(reading.services.document, reading.services.says, draft)
    yield from checked.zones()
    yield from checked.same_ports()
    yield from checked.targets()
    if reading.is_complete:
        yield from checked.names()


class _Services:
    def __init__(self, written: Document, says: ServicesDoc, draft: Draft) -> None:
        self.written, self.says = written, says
        self.devices = {d.name for d in draft.devices}
        self.segments = {s.name for s in draft.segments} | {MANAGEMENT}
        self.filled_zones = {s.zone for s in draft.segments} | {MANAGEMENT_ZONE}

    def zones(self) -> Iterator[Finding]:
        if MANAGEMENT_ZONE not in self.says.zones:
            what = f'the zone "{MANAGEMENT_ZONE}" is missing'
            yield self.written.finding("/zones", what, "add it: the management network is in it")
        for name in self.says.zones:
            taken = "device" if name in self.devices else "segment" if name in self.segments else None
            if taken or name == ANY_DEVICE:
                what = f'the zone "{name}" has the name of {f"a {taken}" if taken else "what flows call all devices"}'
                yield self.written.finding(pointer_of("zones", name), what, "rename the zone: a flow could mean either")

    def same_ports(self) -> Iterator[Finding]:
        first: dict[tuple[str, int, bool], list[tuple[str, str]]] = {}
        for name, service in self.says.services.items():
            others = first.setdefault((service.protocol, service.port, service.out_of_band), [])
            for other, device in others:
                if device == service.device or EVERY_DEVICE in (device, service.device):
                    what = f'services "{other}" and "{name}" are both {service.protocol}/{service.port} of one device'
                    yield self.written.finding(pointer_of("services", name), what, "remove one, or change its port")
                    break
            others.append((name, service.device))

    def targets(self) -> Iterator[Finding]:
        for name, flow in self.says.flows.items():
            if flow.to not in self.says.services:
                what = f'flow "{name}" goes to the unknown service "{flow.to}"'
                fix = meant(flow.to, self.says.services, "add it under services")
                yield self.written.finding(pointer_of("flows", name, "to"), what, fix)

    def names(self) -> Iterator[Finding]:
        for name, service in self.says.services.items():
            if service.device not in self.devices and service.device != EVERY_DEVICE:
                what = f'service "{name}" is on the unknown device "{service.device}"'
                fix = meant(service.device, self.devices | {EVERY_DEVICE}, "name a device of a site, or every-device")
                yield self.written.finding(pointer_of("services", name, "device"), what, fix)
        for name, flow in self.says.flows.items():
            for i, source in enumerate(flow.source):
                # `from: x` and `from: [x]` are the same; the document knows which was written
                here = pointer_of("flows", name, "from")
                here = f"{here}/{i}" if f"{here}/{i}" in self.written.lines else here
                yield from self._source(name, source, here)
                yield from self._plane(name, source, flow.to, here)

    def _source(self, flow: str, source: str, here: str) -> Iterator[Finding]:
        known = self.segments | self.devices | set(self.says.zones) | {ANY_DEVICE}
        if source not in known:
            what = f'flow "{flow}" comes from "{source}", which is no segment, zone or device'
            yield self.written.finding(here, what, meant(source, known, "name one of them, or any-device"))
        elif source in self.says.zones and source not in self.filled_zones:
            what = f'flow "{flow}" comes from the zone "{source}", which holds no segment'
            yield self.written.finding(here, what, "name the segments or devices meant")

    def _plane(self, flow: str, source: str, to: str, here: str) -> Iterator[Finding]:
        service = self.says.services.get(to)
        from_management = source in (MANAGEMENT, MANAGEMENT_ZONE)
        if service is not None and service.out_of_band and not from_management:
            what = f'flow "{flow}" reaches "{to}" from "{source}", but {to} is out of band'
            yield self.written.finding(here, what, f"write `from: {MANAGEMENT}`")
        if service is not None and not service.out_of_band and from_management:
            what = f'flow "{flow}" reaches "{to}" from the management network, which nothing routes'
            yield self.written.finding(here, what, "make the service out_of_band, or name another source")
