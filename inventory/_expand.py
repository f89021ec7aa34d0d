"""Sites and their profiles become devices, wires and segments, still without addresses.

Third step of the loader, pure. A wire is a link, or the last metre of a segment whose far end the
inventory does not know. Each thing remembers the place it was written, for findings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

from inventory._documents import ProfileDoc, SiteDoc
from inventory._reading import Folder, Read, Reading
from inventory._yaml import Document
from inventory.finding import Finding
from inventory.model import Platform, Role, SegmentKind

ROUTERS = frozenset({Role.CORE, Role.DISTRIBUTION, Role.FIREWALL, Role.CE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something was written."""

    document: Document
    pointer: str

    def finding(self, what: str, fix: str) -> Finding:
        return self.document.finding(self.pointer, what, fix)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceDraft:
    name: str
    site: str
    role: Role
    platform: Platform
    is_log_relay: bool
    place: Place

    @property
    def has_loopback(self) -> bool:
        return self.role in ROUTERS


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentDraft:
    name: str
    site: str
    kind: SegmentKind
    zone: str
    size: int  # prefix length
    fixed: IPv4Network | None  # by hand; the plan does not choose then
    gateway: str
    host: str | None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class WireDraft:
    name: str  # of the link; of the segment when it has no host
    kind: str
    site: str
    a: str
    b: str | None
    bandwidth_bps: int
    backup: bool
    segment: str | None
    place: Place

    @property
    def ports(self) -> Iterator[str]:
        """Its keys in the allocation of interface numbers: a gateway keeps its port when its host changes."""
        for device in (self.a, self.b):
            if device is not None:
                yield f"{device}/{self.segment or self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a province is made of, in file order."""

    devices: tuple[DeviceDraft, ...]
    segments: tuple[SegmentDraft, ...]
    wires: tuple[WireDraft, ...]


def expand(folder: Folder | Reading) -> Draft:
    """All sites by their profiles. A site whose profile is unknown gives nothing; `_check_sites` says so."""
    known = [
        (name, site, folder.profiles[site.says.profile])
        for name, site in folder.sites.items()
        if site.says.profile in folder.profiles
    ]
    sites = [_Site(name, site, profile) for name, site, profile in known]
    return Draft(
        devices=tuple(d for s in sites for d in s.devices()),
        segments=tuple(g for s in sites for g in s.segments()),
        wires=tuple(w for s in sites for w in s.wires()),
    )


class _Site:
    """One site while it is expanded."""

    def __init__(self, name: str, site: Read[SiteDoc], profile: Read[ProfileDoc]) -> None:
        self.name, self.says, self.profile = name, site.says, profile.says
        self.written = site.document
        self.default_zone = site.says.zone or profile.says.zone

    def place(self, pointer: str) -> Place:
        return Place(document=self.written, pointer=pointer)

    def device_name(self, local: str) -> str:
        return self.profile.device_names.replace("{site}", self.name).replace("{device}", local)

    def has(self, local: str | None) -> bool:
        return local in self.profile.devices and local not in self.says.without

    def devices(self) -> Iterator[DeviceDraft]:
        for local, doc in self.profile.devices.items():
            if self.has(local):
                default = Platform.FRR if doc.role in ROUTERS else Platform.DEBIAN
                yield DeviceDraft(
                    name=self.device_name(local),
                    site=self.name,
                    role=doc.role,
                    platform=doc.platform or default,
                    is_log_relay=local in self.says.log_relays,
                    place=self.place("/profile"),
                )

    def segments(self) -> Iterator[SegmentDraft]:
        for local, doc in self.profile.segments.items():
            if not self.has(doc.gateway):
                continue
            own = self.says.segments.get(local)
            fixed = own.prefix if own else None
            yield SegmentDraft(
                name=self.profile.segment_names.replace("{site}", self.name).replace("{segment}", local),
                site=self.name,
                kind=doc.kind,
                zone=(own.zone if own else None) or doc.zone or self.default_zone,
                size=fixed.prefixlen if fixed else (own.size if own and own.size else doc.size),
                fixed=fixed,
                gateway=self.device_name(doc.gateway),
                host=self.device_name(doc.host) if doc.host and self.has(doc.host) else None,
                place=self.place(f"/segments/{local}" if own else "/profile"),
            )

    def wires(self) -> Iterator[WireDraft]:
        yield from self._uplinks()
        yield from self._inside()
        yield from self._access()

    def _uplinks(self) -> Iterator[WireDraft]:
        for i, (wanted, given) in enumerate(zip(self.profile.uplinks, self.says.uplinks, strict=False)):
            if not self.has(wanted.device):
                continue
            near = self.device_name(wanted.device)
            yield WireDraft(
                name=f"{given.to}--{near}",
                kind="uplink",
                site=self.name,
                a=given.to,
                b=near,
                bandwidth_bps=given.bandwidth or wanted.bandwidth,
                backup=wanted.backup,
                segment=None,
                place=self.place(f"/uplinks/{i}"),
            )

    def _inside(self) -> Iterator[WireDraft]:
        for left, right in self.profile.links:
            if self.has(left) and self.has(right):
                a, b = self.device_name(left), self.device_name(right)
                roles = {self.profile.devices[left].role, self.profile.devices[right].role}
                yield WireDraft(
                    name=f"{a}--{b}",
                    kind="core" if roles == {Role.CORE} else "distribution",
                    site=self.name,
                    a=a,
                    b=b,
                    bandwidth_bps=self.profile.bandwidth,
                    backup=False,
                    segment=None,
                    place=self.place("/profile"),
                )

    def _access(self) -> Iterator[WireDraft]:
        for segment in self.segments():
            yield WireDraft(
                name=f"{segment.gateway}--{segment.host}" if segment.host else segment.name,
                kind="access",
                site=self.name,
                a=segment.gateway,
                b=segment.host,
                bandwidth_bps=self.profile.bandwidth,
                backup=False,
                segment=segment.name,
                place=segment.place,
            )
