"""The links of the inventory to the state's network, and how far each was used: readings from the store.

The readings are the `snmp.interface` events polling leaves every five minutes: stored, kept and exported like any
event, so the figure can be computed again from them by anyone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from inventory.model import Link, Province
from monitoring.capacity import (
    LONGEST_STEP_S,
    SLOT_S,
    SLOTS,
    Judgement,
    OctetReading,
    Use,
    paused_slots,
    start_of,
    use_of,
)
from monitoring.event import Event
from monitoring.store import EventStore

WINDOW = timedelta(seconds=SLOTS * SLOT_S)
ASKED_BY_NAME = 50  # links; more are found among all
FIELDS = (
    "@timestamp",
    "canh.device",
    "canh.interface.link",
    "canh.interface.counter_bits",
    "canh.interface.speed_bps",
    "canh.interface.in_octets",
    "canh.interface.out_octets",
    "canh.system.uptime_ms",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkUse:
    """A link over the window, both directions as its site sees them."""

    link: Link
    site: str
    measured_at: str  # the device; "" when there is no reading at all
    start: datetime  # of its window: earlier than others' when it was paused
    paused: timedelta  # by declared outages
    into_site: Use
    out_of_site: Use

    @property
    def is_within(self) -> bool:
        return self.into_site.judgement is self.out_of_site.judgement is Judgement.WITHIN

    def document(self) -> dict[str, Any]:
        return {
            "link": self.link.name,
            "site": self.site,
            "contract_bps": self.link.bandwidth_bps,
            "measured_at": self.measured_at,
            "from": self.start.isoformat(),
            "paused_s": round(self.paused.total_seconds()),
            "is_within": self.is_within,
            "in": _document(self.into_site),
            "out": _document(self.out_of_site),
        }


def window(end: datetime) -> tuple[datetime, datetime]:
    """The 7 days that end with the last whole five minutes at `end`."""
    whole = end.timestamp() // SLOT_S * SLOT_S
    last = datetime.fromtimestamp(whole, UTC)
    return last - WINDOW, last


def wan_links(province: Province) -> dict[str, str]:
    """Links between a site and the network, with the site."""
    return {name: site.name for site in province.sites.values() for name in site.uplinks}


def link_uses(province: Province, store: EventStore, end: datetime, names: Collection[str]) -> Iterator[LinkUse]:
    """The use of these links in the 7 days up to `end` that no declared outage covers, in the order of the inventory.

    Raises StoreError.
    """
    _, last = window(end)
    paused = {name: _paused(province, name, last) for name in names}
    starts = {name: start_of(last.timestamp(), slots) for name, slots in paused.items()}
    earliest = datetime.fromtimestamp(min(starts.values(), default=last.timestamp()), UTC)
    readings = _readings(store, earliest, last, names)
    for name, site in wan_links(province).items():
        if name in names:
            link = province.links[name]
            yield _use(province, link, site, readings.get(name, {}), starts[name], paused[name])


def measuring(province: Province, link: Link, site: str) -> tuple[str, str]:
    """Whose counters tell of a link: the site's own end, and the far one."""
    near, far = sorted((link.a.device, link.b.device), key=lambda d: province.devices[d].site != site)
    return near, far


def _paused(province: Province, name: str, last: datetime) -> frozenset[int]:
    outages = [o for o in province.policy.outages if o.link == name]
    return paused_slots(((o.start.timestamp(), o.end.timestamp()) for o in outages), last.timestamp())


def _use(
    province: Province,
    link: Link,
    site: str,
    readings: Mapping[str, list[OctetReading]],
    start: float,
    paused: Collection[int],
) -> LinkUse:
    """As the site's own end counts; where that was not polled as often, the far end tells the same the other way."""
    near, far = measuring(province, link, site)
    is_near = len(readings.get(near, ())) >= len(readings.get(far, ()))
    device = near if is_near else far
    found = readings.get(device, [])
    into, out = (
        use_of(found, start=start, capacity_bps=link.bandwidth_bps, is_in=is_in, paused=paused)
        for is_in in (is_near, not is_near)
    )
    return LinkUse(
        link=link,
        site=site,
        measured_at=device if found else "",
        start=datetime.fromtimestamp(start, UTC),
        paused=timedelta(seconds=SLOT_S * sum(slot >= start // SLOT_S for slot in paused)),
        into_site=into,
        out_of_site=out,
    )


def _readings(
    store: EventStore, start: datetime, end: datetime, names: Collection[str]
) -> dict[str, dict[str, list[OctetReading]]]:
    """By link and device."""
    margin = timedelta(seconds=LONGEST_STEP_S)
    query = "event.dataset:snmp.interface AND _exists_:canh.interface.link"
    if len(names) <= ASKED_BY_NAME:
        wanted = " OR ".join(f'"{name}"' for name in names)
        query = f"event.dataset:snmp.interface AND canh.interface.link:({wanted})"
    found: dict[str, dict[str, list[OctetReading]]] = {}
    for event in store.scan(query, start - margin, end + margin, FIELDS):
        link = event.text("canh.interface.link")
        if link in names and (reading := _reading(event)) is not None:
            found.setdefault(link, {}).setdefault(event.text("canh.device"), []).append(reading)
    return found


def _reading(event: Event) -> OctetReading | None:
    """None for an event that tells a status without counters."""
    received, sent = event.get("canh.interface.in_octets"), event.get("canh.interface.out_octets")
    if not isinstance(received, int) or not isinstance(sent, int):
        return None
    return OctetReading(
        at=event.timestamp.timestamp(),
        uptime_ms=_number(event, "canh.system.uptime_ms"),
        bits=_number(event, "canh.interface.counter_bits") or 32,
        speed_bps=_number(event, "canh.interface.speed_bps"),
        in_octets=received,
        out_octets=sent,
    )


def _number(event: Event, name: str) -> int:
    value = event.get(name)
    return int(value) if isinstance(value, int | float) else 0


def _document(use: Use) -> dict[str, Any]:
    return {
        "samples": use.samples,
        "p95_bps": None if use.p95_bps is None else round(use.p95_bps),
        "p95_pct": None if use.p95_pct is None else round(use.p95_pct, 2),
        "judgement": str(use.judgement),
    }
