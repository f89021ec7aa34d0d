"""The province as typed, immutable values: the only source of truth.

Everything else (machines, configurations, Ansible hosts, monitoring targets, rule
placeholders) is derived from a `Province`. This module holds only the types; `loader`
reads and checks them, `plan` gives every interface its address. Names follow NetBox.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from types import MappingProxyType

from inventory.lists import BoundAccount, NamedList


class Role(StrEnum):
    """What a device is for. A role decides platform templates, Ansible group and machine image."""

    CORE = "core"  # CPNet core router
    DISTRIBUTION = "distribution"  # data-centre router
    FIREWALL = "firewall"
    CE = "ce"  # customer-edge router of a department or commune
    APPLICATION = "application"  # application host in the data centre
    SOC = "soc"  # the host this platform runs on
    WORKSTATION = "workstation"  # an office machine at a site


class Platform(StrEnum):
    """Operating system a device is driven through; a folder of network/platforms for routers."""

    FRR = "frr"
    DEBIAN = "debian"


# What sort of place a zone is, in words that rules can rely on in every province.
ZONE_KINDS = ("office", "server", "management", "soc", "transit", "dmz", "camera", "video", "guest")


class SegmentKind(StrEnum):
    LAN = "lan"
    SERVERS = "servers"
    SOC = "soc"
    MANAGEMENT = "management"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """An administrative unit. A site outlives the unit that uses it."""

    code: str
    name: str
    kind: str  # province, department, commune, ward
    valid_from: date
    valid_to: date | None = None  # None: still in force
    successors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    name: str
    description: str = ""
    kind: str = ""  # of ZONE_KINDS; empty: as each segment's own kind has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One IP network of a site; `name` is unique in the province ("dc-servers")."""

    name: str
    site: str
    kind: SegmentKind
    zone: str
    prefix: IPv4Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One interface of a device, with its planned address.

    `name` is the name on the device ("eth1", "mgmt0"). A transit interface has a `link` only, one
    towards hosts has both (the link that carries the segment), or the segment only where the
    inventory knows no machine behind it; mgmt0 has the segment "mgmt" only.
    """

    name: str
    address: IPv4Interface
    description: str = ""
    link: str | None = None
    segment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    name: str  # unique in the province, also the host name: "dc-fw1"
    site: str
    role: Role
    platform: Platform
    loopback: IPv4Address | None  # routers and the firewall; None for hosts
    interfaces: tuple[Interface, ...]  # "lo" excluded, "mgmt0" included
    is_log_relay: bool = False  # passes on other devices' logs: its word on who sent a message counts

    def interface(self, name: str) -> Interface:
        """The interface called `name`; KeyError when the device has none."""
        for interface in self.interfaces:
            if interface.name == name:
                return interface
        raise KeyError(f"{self.name} has no interface {name}")

    @property
    def management_address(self) -> IPv4Address:
        """Where management (ssh) reaches the device: its mgmt0."""
        return self.interface("mgmt0").address.ip

    @property
    def service_address(self) -> IPv4Address:
        """Where the rest of the province reaches it in band: loopback, else its first data interface."""
        if self.loopback is not None:
            return self.loopback
        return next(i.address.ip for i in self.interfaces if i.name != "mgmt0")

    @property
    def addresses(self) -> tuple[IPv4Address, ...]:
        """Every address the device may send from, loopback first."""
        own = tuple(i.address.ip for i in self.interfaces)
        return own if self.loopback is None else (self.loopback, *own)

    @property
    def is_router(self) -> bool:
        return self.platform is Platform.FRR


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    device: str
    interface: str
    address: IPv4Interface


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A point-to-point link. `kind` is core, uplink, distribution or access."""

    name: str  # "core1--dc-r1"
    kind: str
    a: End
    b: End
    bandwidth_bps: int
    backup: bool = False  # a second uplink, used when the first is down
    segment: str | None = None  # access links carry a segment; transit links none

    @property
    def cost(self) -> int:
        """OSPF cost: a backup is only used when the primary is gone."""
        return 100 if self.backup else 10

    def end(self, device: str) -> End:
        """The end at `device`; KeyError when the link does not touch it."""
        for end in (self.a, self.b):
            if end.device == device:
                return end
        raise KeyError(f"{self.name} does not end at {device}")

    def other_end(self, device: str) -> End:
        """The end away from `device`; KeyError when the link does not touch it."""
        return self.b if self.end(device) is self.a else self.a


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A link as one device sees it."""

    link: Link
    local: End
    remote: End


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Something a device offers: what flows point at and monitoring checks."""

    name: str  # "app-https"
    device: str | None  # None: every device offers it (ssh, snmp)
    protocol: str  # "tcp" or "udp"
    port: int
    description: str = ""
    is_out_of_band: bool = False  # reached at mgmt0, from the management segment; else at `service_address`
    owner: str = ""  # who answers for it
    level: int = 0  # of the system it belongs to, 1 to 5 (TCVN 14423); 0: not said


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Traffic that is allowed. What no flow allows is denied and logged.

    `source` is as written: names of segments, zones or devices, or "any-device", joined by ", ".
    Both ends are already resolved to networks (sorted, collapsed), so a filter needs nothing else.
    A router sends from its loopback or the interface a packet leaves by, so a device as a source is
    each of its in-band addresses; "any-device" holds the loopback and transit networks whole.
    """

    name: str
    source: str
    source_networks: tuple[IPv4Network, ...]
    service: str
    reason: str
    destination_networks: tuple[IPv4Network, ...]
    protocol: str  # the service's
    port: int  # the service's
    is_out_of_band: bool = False  # the service's: belongs on mgmt0, never forwarded by a router


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    name: str
    title: str  # as people call it, Vietnamese, NFC
    profile: str
    unit: str
    zone: str
    uplinks: tuple[str, ...]  # names of links


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRetention:
    """How long the events of a data set, of a system, or of a system's data set are kept. Empty is any."""

    name: str
    keep: timedelta
    data_set: str  # what `event.dataset` begins with
    devices: frozenset[str]
    sites: frozenset[str]
    units: frozenset[str]
    zones: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A link is out of use by intention, as declared before it began. Times are aware."""

    link: str
    declared: datetime
    start: datetime
    end: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holiday:
    """Days off in a row, first and last included."""

    name: str
    first: date
    last: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Which days officials work: Monday to Friday, but for these."""

    holidays: tuple[Holiday, ...] = ()
    working_days: frozenset[date] = frozenset()  # days of a weekend that make up for a bridge day

    def is_holiday(self, day: date) -> bool:
        return any(holiday.first <= day <= holiday.last for holiday in self.holidays)

    def is_working_day(self, day: date) -> bool:
        return day in self.working_days or (day.weekday() < 5 and not self.is_holiday(day))


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the province says is normal; rules read it as placeholders."""

    management_networks: tuple[IPv4Network, ...]
    automation_accounts: tuple[str, ...]
    administrators: tuple[str, ...]
    default_accounts: tuple[str, ...]
    working_hours: tuple[int, int]  # local hours [from, to)
    log_retention: timedelta  # of what no entry of `log_retention_of` is about; the first that fits counts
    log_retention_of: tuple[LogRetention, ...] = ()
    # By role; without an entry, or without a line for a role, what is usual for a source is learned.
    silent_after: Mapping[Role, timedelta] = field(default_factory=lambda: MappingProxyType({}))
    outages: tuple[Outage, ...] = ()
    calendar: Calendar = field(default_factory=Calendar)
    # Local hours [from, to) in which changes are agreed, over midnight when from > to; None: at any hour.
    change_hours: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """The province's own prefixes: where the address plan takes addresses from. They never overlap."""

    loopbacks: IPv4Network  # a /32 for each router and firewall
    transit: IPv4Network  # a /31 for each link between routers
    segments: IPv4Network  # a prefix for each segment of a site
    management: IPv4Network  # an address for each device's mgmt0: the segment "mgmt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """What the lab needs beyond the province: everything stays inside these networks."""

    network: IPv4Network  # 10.250.0.0/16
    network6: str  # fd00:250::/32
    station: IPv4Interface  # the engineer's workstation on the management segment


@dataclass(frozen=True, kw_only=True)
class Province:
    """All of it, checked and addressed. Mappings are keyed by name and keep file order."""

    slug: str
    title: str
    time_zone: str
    units: Mapping[str, Unit]
    zones: Mapping[str, Zone]
    sites: Mapping[str, Site]
    devices: Mapping[str, Device]
    segments: Mapping[str, Segment]
    links: Mapping[str, Link]
    services: Mapping[str, Service]
    flows: Mapping[str, Flow]
    policy: Policy
    networks: Networks
    lab: Lab | None
    lists: Mapping[str, NamedList] = field(default_factory=lambda: MappingProxyType({}))
    accounts: Mapping[str, BoundAccount] = field(default_factory=lambda: MappingProxyType({}))

    def listed(self, name: str) -> tuple[str, ...]:
        """What the province's own list of that name holds; nothing when it keeps none."""
        found = self.lists.get(name)
        return () if found is None else found.values

    @cached_property
    def device_by_address(self) -> Mapping[IPv4Address, Device]:
        """Who owns an address; every address of every device."""
        return MappingProxyType({a: d for d in self.devices.values() for a in d.addresses})

    @property
    def soc(self) -> Device:
        """The SOC host (exactly one; the loader checks)."""
        return next(d for d in self.devices.values() if d.role is Role.SOC)

    def devices_of(self, *roles: Role) -> tuple[Device, ...]:
        return tuple(d for d in self.devices.values() if d.role in roles)

    def links_of(self, device: str) -> tuple[Link, ...]:
        """Links that end at a device, in the order of its interfaces' numbers."""
        names = [i.link for i in self.devices[device].interfaces if i.link is not None]
        return tuple(self.links[n] for n in names)

    def neighbours(self, device: str) -> tuple[Neighbour, ...]:
        """Who is at the other end of each link of a device, in the order of its interfaces."""
        return tuple(
            Neighbour(link=link, local=link.end(device), remote=link.other_end(device))
            for link in self.links_of(device)
        )

    def services_of(self, device: str) -> tuple[Service, ...]:
        """What a device offers, services of every device included."""
        return tuple(s for s in self.services.values() if s.device in (None, device))

    def segment_of(self, address: IPv4Address) -> Segment | None:
        """The segment an address lies in, None when it is in none."""
        return next((s for s in self.segments.values() if address in s.prefix), None)
