"""What must hold after a change: routing neighbours (here), and whatever the caller brings as a `Check`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from inventory.model import Province
from network.device import Device
from network.intent import Neighbour, neighbours_of
from network.platform import Platform

NEIGHBOURS = "neighbours"  # the name of the built-in check
ROUND_S = 0.5  # between two looks at neighbours that are not up yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    name: str
    ok: bool
    detail: str  # what was seen


class Check(Protocol):
    """Something that must hold while the network is well. `run` looks until it holds or `within` has
    passed, once at least, and raises nothing."""

    @property
    def name(self) -> str: ...

    def run(self, *, within: timedelta) -> Verdict: ...


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Adjacency:
    """One direction of a neighbourship: `device` sees `neighbour` on `interface`."""

    device: str
    neighbour: str
    interface: str

    def __str__(self) -> str:
        return f"{self.device} {self.interface} to {self.neighbour}"


def expected(province: Province, devices: Iterable[str]) -> frozenset[Adjacency]:
    """The neighbourships the inventory expects `devices` to see."""
    return frozenset(_adjacency(name, n) for name in devices for n in neighbours_of(province, name))


def up(province: Province, session: Device, platform: Platform) -> frozenset[Adjacency]:
    """The expected neighbourships that `session`'s device sees up now."""
    answer = session.show(platform.neighbours.command)
    hits = [hit for line in answer.splitlines() if (hit := platform.neighbours.line.search(line.strip()))]
    seen = {(h["router_id"], h["interface"]) for h in hits if platform.neighbours.up.search(h["state"])}
    return frozenset(
        _adjacency(session.name, n)
        for n in neighbours_of(province, session.name)
        if (str(n.router_id), n.interface) in seen
    )


def wait_for(
    wanted: frozenset[Adjacency],
    look: Callable[[], frozenset[Adjacency]],
    *,
    within: timedelta,
    hold: timedelta = timedelta(),
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Verdict:
    """Look until every one of `wanted` is up, or `within` has passed.

    hold: not before this has passed. A neighbour that no longer hears us stays on show until its dead
    interval is over, so what was up before a change says nothing until then.
    """
    start = clock()
    while True:
        missing = wanted - look()
        spent = clock() - start
        if not missing and spent >= hold.total_seconds():
            return Verdict(name=NEIGHBOURS, ok=True, detail=f"{len(wanted)} up after {spent:.1f} s")
        if missing and spent >= within.total_seconds():
            names = "; ".join(str(a) for a in sorted(missing))
            return Verdict(name=NEIGHBOURS, ok=False, detail=f"not up after {spent:.0f} s: {names}")
        sleep(ROUND_S)


def run_all(checks: Sequence[Check], *, within: timedelta) -> tuple[Verdict, ...]:
    """Run every check, all at the same time: most of their time is waiting."""
    with ThreadPoolExecutor(max_workers=max(1, len(checks))) as pool:
        return tuple(pool.map(lambda check: check.run(within=within), checks))


def excused(
    wanted: frozenset[Adjacency], *, up_before: frozenset[Adjacency], pending: frozenset[str], changing: frozenset[str]
) -> frozenset[Adjacency]:
    """The part of `wanted` that may stay down: it was down before this change, and either its far end is
    changed in a later wave (`pending`) or is not part of the change at all (a fault that was there)."""
    return frozenset(a for a in wanted - up_before if a.neighbour in pending or a.neighbour not in changing)


def _adjacency(device: str, neighbour: Neighbour) -> Adjacency:
    return Adjacency(device=device, neighbour=neighbour.device, interface=neighbour.interface)
