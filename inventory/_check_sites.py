"""Faults of sites: against their profile, the units, the core, and each other."""

from __future__ import annotations

import re
from collections.abc import Iterator

from inventory._assembly import MANAGEMENT
from inventory._check_documents import meant
from inventory._documents import ProfileDoc, SiteDoc
from inventory._expand import ROUTERS, Draft
from inventory._reading import Reading
from inventory._yaml import Document, pointer_of
from inventory.finding import Finding
from inventory.model import Role


def site_findings(reading: Reading, draft: Draft) -> Iterator[Finding]:
    """Everything wrong with sites but their addresses."""
    cores = {d.name for d in draft.devices if d.role is Role.CORE}
    routers = {d.name for d in draft.devices if d.role in ROUTERS}
    for name, site in reading.sites.items():
        checked = _Site(name, site.document, site.says, reading)
        yield from checked.findings()
        if reading.is_complete:
            yield from checked.unknown_uplinks(cores, routers)
    yield from _same_titles(reading)
    yield from _same_names(draft)
    yield from _unwired(reading, draft)
    if reading.is_complete:
        yield from _soc_hosts(reading, draft)


class _Site:
    def __init__(self, name: str, written: Document, says: SiteDoc, reading: Reading) -> None:
        self.name, self.written, self.says, self.reading = name, written, says, reading

    def findings(self) -> Iterator[Finding]:
        yield from self._name()
        yield from self._unit()
        yield from self._zones()
        profile = self.reading.profiles.get(self.says.profile)
        if profile is not None:
            yield from self._exceptions(profile.says)
            yield from self._uplinks(profile.says)
        elif self.reading.is_complete:
            what = f'site "{self.name}" has the unknown profile "{self.says.profile}"'
            known = self.reading.profiles
            fix = meant(self.says.profile, known, f"choose one of {', '.join(sorted(known))}")
            yield self.written.finding("/profile", what, fix)

    def _name(self) -> Iterator[Finding]:
        if not re.fullmatch(r"[a-z]([a-z0-9-]{0,14}[a-z0-9])?", self.name):
            what = f'"{self.name}" cannot name a site'
            fix = "rename the file: lower-case letters, digits and hyphens, at most 16, a letter first"
            yield self.written.finding("", what, fix)

    def _unit(self) -> Iterator[Finding]:
        units = self.reading.units
        if units is not None and self.says.unit not in units.says.units:
            what = f'site "{self.name}" belongs to the unknown unit "{self.says.unit}"'
            fix = meant(self.says.unit, units.says.units, "add the unit to units.yaml")
            yield self.written.finding("/unit", what, fix)

    def _zones(self) -> Iterator[Finding]:
        if self.reading.services is None:
            return
        zones = self.reading.services.says.zones
        profile = self.reading.profiles.get(self.says.profile)
        wanted = {f"/segments/{n}/zone": s.zone for n, s in self.says.segments.items()}
        wanted["/zone"] = self.says.zone
        wanted["/profile"] = profile.says.zone if profile and self.says.zone is None else None
        for pointer, zone in wanted.items():
            if zone is not None and zone not in zones:
                what = f'site "{self.name}" is in the unknown zone "{zone}"'
                yield self.written.finding(pointer, what, meant(zone, zones, "add it under zones in services.yaml"))
        for local, segment in profile.says.segments.items() if profile else ():
            own = self.says.segments.get(local)
            if segment.zone and segment.zone not in zones and not (own and own.zone):
                what = f'segment {local} of site "{self.name}" is in the unknown zone "{segment.zone}"'
                yield self.written.finding("/profile", what, f"add {segment.zone} under zones in services.yaml")

    def _exceptions(self, profile: ProfileDoc) -> Iterator[Finding]:
        for i, local in enumerate(self.says.without):
            if local not in profile.devices:
                what = f'profile {self.says.profile} has no device "{local}" to leave out'
                fix = meant(local, profile.devices, f"its devices are {', '.join(profile.devices)}")
                yield self.written.finding(f"/without/{i}", what, fix)
        present = [local for local in profile.devices if local not in self.says.without]
        for i, local in enumerate(self.says.log_relays):
            if local not in present:
                what = f'site "{self.name}" has no device "{local}" to relay logs'
                fix = meant(local, present, f"its devices are {', '.join(present)}")
                yield self.written.finding(f"/log_relays/{i}", what, fix)
        for local, own in self.says.segments.items():
            here = pointer_of("segments", local)
            if local not in profile.segments:
                what = f'profile {self.says.profile} has no segment "{local}"'
                fix = meant(local, profile.segments, f"its segments are {', '.join(profile.segments) or 'none'}")
                yield self.written.finding(here, what, fix)
            if own.size is not None and own.prefix is not None:
                what = f'segment "{local}" has both a size and a prefix'
                yield self.written.finding(f"{here}/size", what, "remove the size, the prefix says it")

    def _uplinks(self, profile: ProfileDoc) -> Iterator[Finding]:
        given = [u.to for u in self.says.uplinks]
        needed = sum(1 for u in profile.uplinks if not u.backup)
        if needed and not given:
            what = f'site "{self.name}" has no uplink'
            yield self.written.finding("/uplinks", what, "add `uplinks: [core1]`, the core router it is joined to")
        elif len(given) < needed:
            what = f'site "{self.name}" has {len(given)} uplink, its profile {self.says.profile} needs {needed}'
            yield self.written.finding("/uplinks", what, "name a core router for each uplink of the profile")
        elif len(given) > len(profile.uplinks):
            most = len(profile.uplinks)
            what = f'site "{self.name}" has {len(given)} uplinks, its profile {self.says.profile} at most {most}'
            yield self.written.finding("/uplinks", what, "remove what is too many, or choose another profile")
        pairs = [(w.device, g) for w, g in zip(profile.uplinks, given, strict=False)]
        for i, pair in enumerate(pairs):
            if pair in pairs[:i]:
                what = f'site "{self.name}" has two uplinks from {pair[0]} to {pair[1]}'
                yield self.written.finding(f"/uplinks/{i}", what, "name another core router: two routes must differ")

    def unknown_uplinks(self, cores: set[str], routers: set[str]) -> Iterator[Finding]:
        for i, uplink in enumerate(self.says.uplinks):
            if uplink.to not in cores:
                kind = "a router that is not of the core" if uplink.to in routers else "the unknown router"
                what = f'an uplink of site "{self.name}" goes to {kind}, "{uplink.to}"'
                fix = meant(uplink.to, cores, f"the core routers are {', '.join(sorted(cores)) or 'none'}")
                yield self.written.finding(f"/uplinks/{i}", what, fix)


def _same_titles(reading: Reading) -> Iterator[Finding]:
    first: dict[str, str] = {}
    for name, site in reading.sites.items():
        other = first.setdefault(site.says.title, name)
        if other != name:
            what = f'sites "{other}" and "{name}" have the same title'
            yield site.document.finding("/title", what, "give each a title people can tell apart")


def _same_names(draft: Draft) -> Iterator[Finding]:
    """Names are unique across devices and segments alike: flows may name either."""
    first: dict[str, str] = {MANAGEMENT: "the management network"}
    devices = [(d.name, f'a device of site "{d.site}"', d.place) for d in draft.devices]
    segments = [(s.name, f'a segment of site "{s.site}"', s.place) for s in draft.segments]
    for name, here, place in devices + segments:
        other = first.setdefault(name, here)
        if other != here:
            what = f'the name "{name}" is given twice: to {other} and {here}'
            yield place.finding(what, "rename one of the sites, or change the names in the profile")
        elif len(name) > 63:
            yield place.finding(f'"{name}" is too long for a host name', "shorten the names in the profile")


def _unwired(reading: Reading, draft: Draft) -> Iterator[Finding]:
    """Hosts whose gateway a site leaves out (a profile that has none says so itself)."""
    wired = {end for wire in draft.wires for end in (wire.a, wire.b)}
    for device in draft.devices:
        left_out = reading.sites[device.site].says.without
        if left_out and device.role not in ROUTERS and device.name not in wired:
            what = f'host "{device.name}" has lost its gateway'
            yield device.place.document.finding("/without", what, "leave the host out, too")


def _soc_hosts(reading: Reading, draft: Draft) -> Iterator[Finding]:
    hosts = [d for d in draft.devices if d.role is Role.SOC]
    for extra in hosts[1:]:
        what = f'"{extra.name}" is a second SOC host beside "{hosts[0].name}"'
        yield extra.place.finding(what, "leave one out: logs, time and alerts have one place")
    if not hosts and reading.province is not None:
        what = "the province has no SOC host"
        yield reading.province.document.finding("", what, "add a site with the profile data-centre")


def reach_findings(draft: Draft) -> Iterator[Finding]:
    """Devices no chain of links joins to the SOC host. Call only when all else is right."""
    neighbours: dict[str, set[str]] = {d.name: set() for d in draft.devices}
    for wire in draft.wires:
        if wire.b is not None:
            neighbours[wire.a].add(wire.b)
            neighbours[wire.b].add(wire.a)
    reached: set[str] = set()
    ahead = [d.name for d in draft.devices if d.role is Role.SOC]
    while ahead:
        device = ahead.pop()
        if device not in reached:
            reached.add(device)
            ahead.extend(neighbours[device])
    for device_draft in draft.devices:
        if device_draft.name not in reached:
            what = f'no links lead from "{device_draft.name}" to the SOC host'
            yield device_draft.place.finding(what, "give its site an uplink, or its profile the missing link")
