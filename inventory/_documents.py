"""The inventory's documents as people write them in YAML; unknown keys are refused.

One model a document, at the boundary: each has `to_domain()` where the inside has a type of its
own. Sites and profiles have none: `_expand` turns the two together into devices and links.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from ipaddress import ip_network
from types import MappingProxyType
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from inventory._values import (
    Address,
    AddressInPrefix,
    Bandwidth,
    Hour,
    Moment,
    OneOrMore,
    Prefix,
    Prefix6,
    Slug,
    Span,
    Text,
    TimeZone,
)
from inventory.allocations import Allocations
from inventory.lists import BoundAccount, NamedList, known_lists, value_of
from inventory.model import (
    Calendar,
    Holiday,
    Lab,
    LogRetention,
    Networks,
    Outage,
    Platform,
    Policy,
    Role,
    SegmentKind,
    Unit,
    Zone,
)


class _Doc(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class NetworksDoc(_Doc):
    loopbacks: Prefix
    transit: Prefix
    segments: Prefix
    management: Prefix

    def to_domain(self) -> Networks:
        return Networks(
            loopbacks=self.loopbacks, transit=self.transit, segments=self.segments, management=self.management
        )


class LogRetentionDoc(_Doc):
    """Three months at least: what the law asks of any system's log. `log_retention_days` has a control of its own."""

    name: Slug
    days: int = Field(ge=92, le=3660)
    data_set: str = Field(default="", max_length=100)
    devices: OneOrMore = []
    sites: OneOrMore = []
    units: OneOrMore = []
    zones: OneOrMore = []

    @field_validator("name")
    @classmethod
    def _not_taken(cls, value: str) -> str:
        if value == "log":
            raise ValueError('"log" is the name of everything else: choose another')
        return value

    def to_domain(self) -> LogRetention:
        return LogRetention(
            name=self.name,
            keep=timedelta(days=self.days),
            data_set=self.data_set,
            devices=frozenset(self.devices),
            sites=frozenset(self.sites),
            units=frozenset(self.units),
            zones=frozenset(self.zones),
        )


class OutageDoc(_Doc):
    """An outage of a link that was declared before it began; times are the province's own.

    The rule for links to the state's network (CPN-04) counts it out of its seven days. One that was declared
    afterwards explains a fault and does not take it away.
    """

    link: Text
    declared: Moment
    start: Moment = Field(alias="from")
    end: Moment = Field(alias="to")
    reason: str = Field(default="", max_length=500)

    def to_domain(self, zone: ZoneInfo) -> Outage:
        declared, start, end = (t.replace(tzinfo=zone) for t in (self.declared, self.start, self.end))
        return Outage(link=self.link, declared=declared, start=start, end=end, reason=self.reason)


class HolidayDoc(_Doc):
    name: Text
    first: date = Field(alias="from")
    last: date = Field(alias="to")

    def to_domain(self) -> Holiday:
        return Holiday(name=self.name, first=self.first, last=self.last)


class CalendarDoc(_Doc):
    """Days off, and days of a weekend that are worked instead."""

    holidays: list[HolidayDoc] = []
    working_days: list[date] = []

    def to_domain(self) -> Calendar:
        return Calendar(holidays=tuple(h.to_domain() for h in self.holidays), working_days=frozenset(self.working_days))


class PolicyDoc(_Doc):
    management_networks: list[Prefix] = Field(min_length=1)
    automation_accounts: list[Text] = []
    administrators: list[Text] = []
    default_accounts: list[Text] = []
    working_hours: Annotated[list[Hour], Field(min_length=2, max_length=2)]
    log_retention_days: int = Field(ge=1, le=3660)
    log_retention_of: list[LogRetentionDoc] = []
    silent_after: dict[Annotated[Role, Field(strict=False)], Span] = {}
    outages: list[OutageDoc] = []
    calendar: CalendarDoc = CalendarDoc()
    change_hours: Annotated[list[Hour], Field(min_length=2, max_length=2)] | None = None

    def to_domain(self, zone: ZoneInfo) -> Policy:
        start, end = self.working_hours
        return Policy(
            management_networks=tuple(self.management_networks),
            automation_accounts=tuple(self.automation_accounts),
            administrators=tuple(self.administrators),
            default_accounts=tuple(self.default_accounts),
            working_hours=(start, end),
            log_retention=timedelta(days=self.log_retention_days),
            log_retention_of=tuple(entry.to_domain() for entry in self.log_retention_of),
            silent_after=MappingProxyType(dict(self.silent_after)),
            outages=tuple(outage.to_domain(zone) for outage in self.outages),
            calendar=self.calendar.to_domain(),
            change_hours=None if self.change_hours is None else (self.change_hours[0], self.change_hours[1]),
        )


class LabDoc(_Doc):
    network: Prefix
    network6: Prefix6
    station: AddressInPrefix

    def to_domain(self) -> Lab:
        return Lab(network=self.network, network6=str(self.network6), station=self.station)


class ProvinceDoc(_Doc):
    """province.yaml"""

    slug: Slug
    title: Text
    time_zone: TimeZone
    networks: NetworksDoc
    policy: PolicyDoc
    lab: LabDoc | None = None


class UnitDoc(_Doc):
    name: Text
    kind: Literal["province", "department", "district", "commune", "ward", "township"]
    valid_from: date
    valid_to: date | None = None
    successors: list[Text] = []

    def to_domain(self, code: str) -> Unit:
        return Unit(
            code=code,
            name=self.name,
            kind=self.kind,
            valid_from=self.valid_from,
            valid_to=self.valid_to,
            successors=tuple(self.successors),
        )


class UnitsDoc(_Doc):
    """units.yaml: units by code."""

    units: dict[str, UnitDoc] = Field(min_length=1)


class ZoneDoc(_Doc):
    description: Text
    kind: Literal["", "office", "server", "management", "soc", "transit", "dmz", "camera", "video", "guest"] = ""

    def to_domain(self, name: str) -> Zone:
        return Zone(name=name, description=self.description, kind=self.kind)


class ServiceDoc(_Doc):
    device: Slug  # a device, or "every-device"
    protocol: Literal["tcp", "udp"]
    port: int = Field(ge=1, le=65535)
    description: str = ""
    out_of_band: bool = False
    owner: str = Field(default="", max_length=200)
    level: int = Field(default=0, ge=0, le=5)


class FlowDoc(_Doc):
    source: OneOrMore = Field(alias="from", min_length=1)
    to: Slug
    reason: Text


class ServicesDoc(_Doc):
    """services.yaml: zones, services and flows by name."""

    zones: dict[Slug, ZoneDoc] = Field(min_length=1)
    services: dict[Slug, ServiceDoc] = {}
    flows: dict[Slug, FlowDoc] = {}


class ListDoc(_Doc):
    values: list[Annotated[str, Field(max_length=200)]]  # text always: YAML reads 0084 as the number 68
    checked: date
    owner: Text
    reason: Text

    def to_domain(self, name: str) -> NamedList:
        kind = known_lists()[name].kind
        values = tuple(value_of(kind, value) for value in self.values)
        return NamedList(name=name, values=values, checked=self.checked, owner=self.owner, reason=self.reason)


class AccountDoc(_Doc):
    """A service's account: where it may log in from, and when."""

    hosts: list[Annotated[str, Field(max_length=50)]] = Field(min_length=1)
    hours: Annotated[list[Hour], Field(min_length=2, max_length=2)] | None = None
    checked: date
    owner: Text
    reason: Text

    def to_domain(self, name: str) -> BoundAccount:
        return BoundAccount(
            name=name,
            hosts=tuple(ip_network(host) for host in self.hosts),
            hours=None if self.hours is None else (self.hours[0], self.hours[1]),
            checked=self.checked,
            owner=self.owner,
            reason=self.reason,
        )


class ListsDoc(_Doc):
    """lists.yaml: what the province keeps by hand, by name. `_check_lists` knows the names and their kinds."""

    lists: dict[str, ListDoc] = {}
    accounts: dict[str, AccountDoc] = {}


class DeviceDoc(_Doc):
    role: Annotated[Role, Field(strict=False)]
    platform: Annotated[Platform, Field(strict=False)] | None = None  # None: as the role has it


class SegmentDoc(_Doc):
    kind: Annotated[SegmentKind, Field(strict=False)]
    gateway: Slug
    host: Slug | None = None
    size: int = Field(ge=16, le=30)  # prefix length
    zone: Slug | None = None  # None: the site's


class UplinkDoc(_Doc):
    device: Slug = Field(alias="from")
    bandwidth: Bandwidth
    backup: bool = False


class ProfileDoc(_Doc):
    """profiles/<kind>.yaml: what every site of a kind has. Device names are local to the site."""

    title: Text
    zone: Slug
    device_names: Text = "{site}-{device}"
    segment_names: Text = "{site}-{segment}"
    devices: dict[Slug, DeviceDoc] = Field(min_length=1)
    segments: dict[Slug, SegmentDoc] = {}
    links: list[Annotated[list[Slug], Field(min_length=2, max_length=2)]] = []
    uplinks: list[UplinkDoc] = []
    bandwidth: Bandwidth = 10**9  # of links inside the site

    @field_validator("device_names", "segment_names")
    @classmethod
    def _a_pattern_names_its_things(cls, value: str, info: ValidationInfo) -> str:
        word = "{device}" if info.field_name == "device_names" else "{segment}"
        plain = value.replace("{site}", "").replace(word, "")
        if word not in value or not re.fullmatch(r"[a-z0-9-]*", plain):
            raise ValueError(f'"{value}" is no pattern for names: {word}, {{site}}, letters and hyphens')
        return value


class SegmentExceptionDoc(_Doc):
    size: int | None = Field(default=None, ge=16, le=30)
    zone: Slug | None = None
    prefix: Prefix | None = None  # fixed by hand: an address range that was there before us


class UplinkExceptionDoc(_Doc):
    to: Slug
    bandwidth: Bandwidth | None = None


# An uplink without exceptions is the name of its core router: `uplinks: [core1]`.
UplinkOrName = Annotated[
    UplinkExceptionDoc,
    BeforeValidator(lambda v: {"to": v} if isinstance(v, str) else v, json_schema_input_type=UplinkExceptionDoc | Slug),
]


class SiteDoc(_Doc):
    """sites/<slug>.yaml: a profile and its exceptions."""

    title: Text
    profile: Slug
    unit: Text
    uplinks: list[UplinkOrName] = []
    zone: Slug | None = None
    without: list[Slug] = []
    log_relays: list[Slug] = []  # devices that pass on others' logs
    segments: dict[Slug, SegmentExceptionDoc] = {}


class AllocationsDoc(_Doc):
    """allocations.yaml: what the address plan has given out. Written by a program, kept in git."""

    loopbacks: dict[str, Address] = {}
    management: dict[str, Address] = {}
    transit: dict[str, Prefix] = {}
    segments: dict[str, Prefix] = {}
    ports: dict[str, Annotated[int, Field(ge=1, le=999)]] = {}

    def to_domain(self) -> Allocations:
        return Allocations(
            loopbacks=self.loopbacks,
            management=self.management,
            transit=self.transit,
            segments=self.segments,
            ports=self.ports,
        )
