"""Faults of addresses: allocations and prefixes fixed by hand, against the networks and each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

from inventory._expand import Draft, Place
from inventory._reading import Reading
from inventory._yaml import pointer_of
from inventory.finding import Finding
from inventory.plan import missing

_POOLS = ("loopbacks", "management", "transit", "segments")
_REDO = "remove the line and run `canh validate --allocate`"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """A prefix (an address is a /32) someone holds."""

    name: str
    prefix: IPv4Network
    pool: str
    place: Place
    by_hand: bool


def allocation_findings(reading: Reading, draft: Draft) -> Iterator[Finding]:
    """Overlaps, prefixes outside the province's networks, wrong sizes, interface numbers given twice."""
    claims = [*_fixed(draft), *_allocated(reading, draft)]
    yield from _overlaps(claims)
    yield from _outside(reading, claims)
    yield from _sizes(reading, draft)
    yield from _ports(reading)


def missing_findings(reading: Reading, draft: Draft) -> Iterator[Finding]:
    """One finding a site that lacks addresses."""
    if reading.allocations is None:
        return
    lacking: dict[str, list[str]] = {}
    for need in missing(draft, reading.allocations.says.to_domain()):
        lacking.setdefault(need.site, []).append(f"{need.kind} {need.key}")
    for site, keys in lacking.items():
        some = ", ".join(keys[:3]) + (", ..." if len(keys) > 3 else "")
        what = f'site "{site}" has no addresses yet: {len(keys)} to give out ({some})'
        fix = "run `canh validate --allocate` and commit allocations.yaml"
        yield reading.sites[site].document.finding("", what, fix)


def _fixed(draft: Draft) -> Iterator[_Claim]:
    for s in draft.segments:
        if s.fixed is not None:
            place = Place(document=s.place.document, pointer=f"{s.place.pointer}/prefix")
            yield _Claim(name=s.name, prefix=s.fixed, pool="segments", place=place, by_hand=True)


def _allocated(reading: Reading, draft: Draft) -> Iterator[_Claim]:
    if reading.allocations is None:
        return
    written, says = reading.allocations.document, reading.allocations.says
    by_hand = {s.name for s in draft.segments if s.fixed is not None}
    for pool in _POOLS:
        for name, given in getattr(says, pool).items():
            if not (pool == "segments" and name in by_hand):
                place = Place(document=written, pointer=pointer_of(pool, name))
                yield _Claim(name=name, prefix=IPv4Network(given), pool=pool, place=place, by_hand=False)


def _overlaps(claims: list[_Claim]) -> Iterator[Finding]:
    """Each claim against all that hold it: prefixes overlap only by one lying in the other."""
    holders: list[_Claim] = []
    for claim in sorted(claims, key=lambda c: (int(c.prefix.network_address), c.prefix.prefixlen, c.by_hand, c.name)):
        while holders and not claim.prefix.subnet_of(holders[-1].prefix):
            holders.pop()
        for holder in holders:
            at, other = (holder, claim) if holder.by_hand and not claim.by_hand else (claim, holder)
            what = f"{at.name} {_text(at)} overlaps {other.name} {_text(other)} ({other.place.document.path.name})"
            yield at.place.finding(what, "choose a free prefix, or remove the line" if at.by_hand else _REDO)
        if not holders or claim.prefix != holders[-1].prefix:
            holders.append(claim)


def _outside(reading: Reading, claims: list[_Claim]) -> Iterator[Finding]:
    if reading.province is None:
        return
    networks = reading.province.says.networks
    for claim in claims:
        pool: IPv4Network = getattr(networks, claim.pool)
        if not claim.prefix.subnet_of(pool):
            what = f"{claim.name} {_text(claim)} is outside the province's networks.{claim.pool} {pool}"
            yield claim.place.finding(what, f"choose a prefix inside {pool}" if claim.by_hand else _REDO)
    station = reading.province.says.lab.station.ip if reading.province.says.lab else None
    for claim in claims:
        if station is not None and station in claim.prefix:
            yield claim.place.finding(f"{claim.name} has the address of the lab's station, {station}", _REDO)


def _sizes(reading: Reading, draft: Draft) -> Iterator[Finding]:
    if reading.allocations is None:
        return
    written, says = reading.allocations.document, reading.allocations.says
    for name, pair in says.transit.items():
        if pair.prefixlen != 31:
            yield written.finding(pointer_of("transit", name), f"{name} has {pair}, a link takes a /31", _REDO)
    for segment in draft.segments:
        given = says.segments.get(segment.name)
        if segment.fixed is None and given is not None and given.prefixlen != segment.size:
            what = f"{segment.name} is to be a /{segment.size}, but has been given {given}"
            fix = f"write `size: {given.prefixlen}` for the site, or {_REDO} (its addresses change)"
            yield written.finding(pointer_of("segments", segment.name), what, fix)


def _ports(reading: Reading) -> Iterator[Finding]:
    if reading.allocations is None:
        return
    first: dict[tuple[str, int], str] = {}
    for key, number in reading.allocations.says.ports.items():
        device = key.partition("/")[0]
        other = first.setdefault((device, number), key)
        if other != key:
            what = f'interface eth{number} of "{device}" is given twice: to {other} and {key}'
            yield reading.allocations.document.finding(pointer_of("ports", key), what, _REDO)


def _text(claim: _Claim) -> str:
    return str(claim.prefix.network_address if claim.prefix.prefixlen == 32 else claim.prefix)
