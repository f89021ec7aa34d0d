"""The address plan: which address, prefix and interface number everything has.

Deterministic, and stable: what has been given out is kept in `allocations.yaml`, beside the
province in git, so adding or removing a site never renumbers another. `missing` tells what is not
given out yet; `allocate` gives it out, lowest free first, in document order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from inventory._expand import Draft, SegmentDraft
from inventory.allocations import Allocations
from inventory.errors import InventoryError
from inventory.model import Networks

# The first ten management addresses are for the station and what is not a device of ours.
MANAGEMENT_RESERVED = 10


class PoolExhausted(InventoryError):
    """A network of province.yaml has no room for one more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One thing the plan must have: `kind` is a field of Allocations, `key` the entry."""

    kind: str
    key: str
    site: str


def needs(draft: Draft) -> Iterator[Need]:
    """All a province needs, in document order."""
    for device in draft.devices:
        if device.has_loopback:
            yield Need(kind="loopbacks", key=device.name, site=device.site)
        yield Need(kind="management", key=device.name, site=device.site)
    for segment in draft.segments:
        if segment.fixed is None:
            yield Need(kind="segments", key=segment.name, site=segment.site)
    for wire in draft.wires:
        if wire.segment is None:
            yield Need(kind="transit", key=wire.name, site=wire.site)
        for port in wire.ports:
            yield Need(kind="ports", key=port, site=wire.site)


def missing(draft: Draft, given: Allocations) -> tuple[Need, ...]:
    """What has not been given out yet."""
    return tuple(n for n in needs(draft) if n.key not in getattr(given, n.kind))


def allocate(draft: Draft, given: Allocations, networks: Networks, taken: Iterable[IPv4Address] = ()) -> Allocations:
    """`given` and what `draft` lacks. `taken`: management addresses in use by others (the station).

    Raises PoolExhausted when a network is full.
    """
    fixed = [s.fixed for s in draft.segments if s.fixed is not None]
    loopbacks = _Addresses("loopbacks", networks.loopbacks, given.loopbacks, ())
    management = _Addresses("management", networks.management, given.management, taken, skip=MANAGEMENT_RESERVED + 1)
    transit = _Prefixes("transit", networks.transit, given.transit, ())
    segments = _Prefixes("segments", networks.segments, given.segments, fixed)
    ports = _Ports(given.ports)
    sizes = {s.name: s.size for s in draft.segments}
    for need in missing(draft, given):
        if need.kind == "loopbacks":
            loopbacks.give(need.key)
        elif need.kind == "management":
            management.give(need.key)
        elif need.kind == "transit":
            transit.give(need.key, 31)
        elif need.kind == "segments":
            segments.give(need.key, sizes[need.key])
        else:
            ports.give(need.key)
    return Allocations(
        loopbacks=loopbacks.given,
        management=management.given,
        transit=transit.given,
        segments=segments.given,
        ports=ports.given,
    )


def release(draft: Draft, given: Allocations) -> Allocations:
    """`given` without the entries nothing needs any more."""
    wanted = {(n.kind, n.key) for n in needs(draft)}

    def kept(kind: str) -> dict[str, object]:
        return {k: v for k, v in getattr(given, kind).items() if (kind, k) in wanted}

    return Allocations(**{kind: kept(kind) for kind in Allocations.__slots__})  # type: ignore[arg-type]


def addresses_in(segment: SegmentDraft, prefix: IPv4Network) -> tuple[IPv4Address, IPv4Address]:
    """Of the gateway (the first) and the host (the tenth, the second in a small prefix)."""
    return prefix[1], prefix[10] if prefix.prefixlen <= 28 else prefix[2]


def _exhausted(kind: str, pool: IPv4Network, key: str) -> PoolExhausted:
    return PoolExhausted(
        f"{pool} has no room left for {key}",
        where=f"province.yaml /networks/{kind}",
        fix=f"widen networks.{kind}, or free what is gone with `canh validate --release`",
    )


class _Addresses:
    """Single addresses out of one network."""

    def __init__(
        self,
        kind: str,
        pool: IPv4Network,
        given: Mapping[str, IPv4Address],
        taken: Iterable[IPv4Address],
        skip: int = 1,
    ) -> None:
        self.kind, self.pool, self.given = kind, pool, dict(given)
        self._used = {*given.values(), *taken}
        self._next = int(pool.network_address) + skip

    def give(self, key: str) -> None:
        while IPv4Address(self._next) in self._used:
            self._next += 1
        address = IPv4Address(self._next)
        if address not in self.pool or address == self.pool.broadcast_address:
            raise _exhausted(self.kind, self.pool, key)
        self.given[key] = address
        self._used.add(address)


class _Prefixes:
    """Prefixes of any size out of one network."""

    def __init__(
        self, kind: str, pool: IPv4Network, given: Mapping[str, IPv4Network], taken: Iterable[IPv4Network]
    ) -> None:
        self.kind, self.pool, self.given = kind, pool, dict(given)
        self._used = sorted({*given.values(), *taken}, key=lambda n: int(n.network_address))

    def give(self, key: str, size: int) -> None:
        prefix = self._first_free(size)
        if prefix is None:
            raise _exhausted(self.kind, self.pool, key)
        self.given[key] = prefix
        self._used = sorted([*self._used, prefix], key=lambda n: int(n.network_address))

    def _first_free(self, size: int) -> IPv4Network | None:
        step = 1 << (32 - size)
        start = int(self.pool.network_address)
        if size < self.pool.prefixlen:
            return None
        for used in self._used:
            low, high = int(used.network_address), int(used.broadcast_address)
            if start + step <= low:
                break
            start = max(start, -(-(high + 1) // step) * step)
        return IPv4Network((start, size)) if start + step - 1 <= int(self.pool.broadcast_address) else None


class _Ports:
    """Interface numbers of each device, from 1."""

    def __init__(self, given: Mapping[str, int]) -> None:
        self.given = dict(given)
        self._used: dict[str, set[int]] = {}
        for key, number in given.items():
            self._used.setdefault(key.partition("/")[0], set()).add(number)

    def give(self, key: str) -> None:
        used = self._used.setdefault(key.partition("/")[0], set())
        number = next(n for n in range(1, len(used) + 2) if n not in used)
        self.given[key] = number
        used.add(number)
