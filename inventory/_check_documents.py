"""Faults within one document: the province, its units, a profile."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches
from ipaddress import IPv4Network
from itertools import combinations

from inventory._documents import ProfileDoc, ProvinceDoc
from inventory._expand import ROUTERS
from inventory._reading import Read, Reading
from inventory._yaml import Document, pointer_of
from inventory.finding import Finding


def meant(name: str, known: Collection[str], otherwise: str) -> str:
    """A fix for a name nobody knows: the closest one, else `otherwise`."""
    close = get_close_matches(name, sorted(known), n=1, cutoff=0.7)
    return f'did you mean "{close[0]}"?' if close else otherwise


def province_findings(reading: Reading) -> Iterator[Finding]:
    """Networks that overlap or leave the lab's, policy that contradicts itself."""
    if reading.province is None:
        return
    written, says = reading.province.document, reading.province.says
    networks: dict[str, IPv4Network] = {n: getattr(says.networks, n) for n in type(says.networks).model_fields}
    for (a, first), (b, second) in combinations(networks.items(), 2):
        if first.overlaps(second):
            what = f"networks.{b} {second} overlaps networks.{a} {first}"
            yield written.finding(f"/networks/{b}", what, "give each its own range")
    start, end = says.policy.working_hours
    if start >= end:
        what = f"working hours end at {end}, before they start at {start}"
        yield written.finding("/policy/working_hours", what, "write [from, to), like [7, 18]")
    yield from _calendar_findings(written, says)
    if not any(says.networks.management.subnet_of(n) for n in says.policy.management_networks):
        what = f"the management network {says.networks.management} is not one of policy.management_networks"
        yield written.finding("/policy/management_networks", what, "add it, or every login from there is an alert")
    yield from _lab_findings(written, says, networks)


def _calendar_findings(written: Document, says: ProvinceDoc) -> Iterator[Finding]:
    calendar = says.policy.calendar
    for i, holiday in enumerate(calendar.holidays):
        if holiday.last < holiday.first:
            what = f'the holiday "{holiday.name}" ends on {holiday.last}, before it begins'
            yield written.finding(pointer_of("policy", "calendar", "holidays", i, "to"), what, "write its last day")
    for i, day in enumerate(calendar.working_days):
        if day.weekday() < 5:
            what = f"{day} is a {day:%A}, which is worked anyway"
            fix = "name the Saturday or Sunday that is worked instead of another day"
            yield written.finding(pointer_of("policy", "calendar", "working_days", i), what, fix)


def _lab_findings(written: Document, says: ProvinceDoc, networks: dict[str, IPv4Network]) -> Iterator[Finding]:
    if says.lab is None:
        return
    for name, network in networks.items():
        if not network.subnet_of(says.lab.network):
            what = f"networks.{name} {network} is outside the lab's own {says.lab.network}"
            yield written.finding(
                f"/networks/{name}", what, f"choose it inside {says.lab.network}: nothing may leave the lab"
            )
    if says.lab.station.network != says.networks.management:
        what = f"the station {says.lab.station} is not in the management network {says.networks.management}"
        yield written.finding(
            "/lab/station", what, f"write an address of it with /{says.networks.management.prefixlen}"
        )


def unit_findings(reading: Reading) -> Iterator[Finding]:
    """Dates that go back, successors nobody knows."""
    if reading.units is None:
        return
    written, units = reading.units.document, reading.units.says.units
    for code, unit in units.items():
        here = pointer_of("units", code)
        if unit.valid_to is not None and unit.valid_to < unit.valid_from:
            what = f'unit "{code}" ends on {unit.valid_to}, before it starts on {unit.valid_from}'
            yield written.finding(f"{here}/valid_to", what, "exchange the dates, or correct one")
        if unit.successors and unit.valid_to is None:
            what = f'unit "{code}" has successors but no end'
            yield written.finding(f"{here}/successors", what, "add valid_to, the last day it is in force")
        for i, successor in enumerate(unit.successors):
            if successor != code and successor in units:
                continue
            whom = "itself" if successor == code else f'the unknown unit "{successor}"'
            fix = meant(successor, units.keys() - {code}, "add that unit to units.yaml")
            yield written.finding(f"{here}/successors/{i}", f'unit "{code}" names {whom} as successor', fix)


def profile_findings(reading: Reading) -> Iterator[Finding]:
    """Profiles whose links, segments or uplinks name devices they do not have."""
    for name, profile in reading.profiles.items():
        yield from _Profile(name, profile).findings()


class _Profile:
    def __init__(self, name: str, profile: Read[ProfileDoc]) -> None:
        self.name, self.written, self.says = name, profile.document, profile.says

    def findings(self) -> Iterator[Finding]:
        yield from self._links()
        yield from self._segments()
        for i, uplink in enumerate(self.says.uplinks):
            yield from self._router(uplink.device, f"/uplinks/{i}/from", "an uplink starts at a router")
        hosts = {s.host for s in self.says.segments.values()}
        for local, device in self.says.devices.items():
            if device.role not in ROUTERS and local not in hosts:
                what = f'host "{local}" of profile {self.name} is in no segment'
                yield self.written.finding(pointer_of("devices", local), what, "name it as `host:` of a segment")

    def _links(self) -> Iterator[Finding]:
        seen: set[frozenset[str]] = set()
        for i, (a, b) in enumerate(self.says.links):
            pair = frozenset((a, b))
            if a == b:
                yield self.written.finding(f"/links/{i}", f'a link joins "{a}" to itself', "name two devices")
            elif pair in seen:
                what = f'"{a}" and "{b}" are linked twice'
                yield self.written.finding(f"/links/{i}", what, "keep one of the two")
            else:
                yield from self._router(a, f"/links/{i}/0", "a link joins two routers")
                yield from self._router(b, f"/links/{i}/1", "a link joins two routers")
            seen.add(pair)

    def _segments(self) -> Iterator[Finding]:
        for local, segment in self.says.segments.items():
            here = pointer_of("segments", local)
            yield from self._router(segment.gateway, f"{here}/gateway", "a gateway is a router")
            if segment.host is None:
                continue
            host = self.says.devices.get(segment.host)
            if host is None:
                yield self._unknown(segment.host, f"{here}/host")
            elif host.role in ROUTERS:
                what = f'"{segment.host}" is a router, so it is no host of segment {local}'
                yield self.written.finding(f"{here}/host", what, "name a host, or write a link instead")

    def _router(self, local: str, pointer: str, why: str) -> Iterator[Finding]:
        device = self.says.devices.get(local)
        if device is None:
            yield self._unknown(local, pointer)
        elif device.role not in ROUTERS:
            what = f'"{local}" is a host ({device.role}), but {why}'
            yield self.written.finding(pointer, what, "name a router, or write a segment instead")

    def _unknown(self, local: str, pointer: str) -> Finding:
        what = f'profile {self.name} has no device "{local}"'
        fix = meant(local, self.says.devices, f"its devices are {', '.join(self.says.devices)}")
        return self.written.finding(pointer, what, fix)
