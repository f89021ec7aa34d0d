"""How far a link is used, as the rules of the state's network ask: the 95th percentile of five-minute samples.

CPN-04 (Circular 06/2026/TT-BKHCN, article 5.6): in each direction apart, the 95th percentile of the 5-minute samples
of 7 consecutive days is at most 90 % of the contracted rate. That is 2,016 samples, of which the 1,916th smallest
counts (nearest rank). A gap is no zero: below 95 % of the samples there is no verdict. Pure: readings in, verdicts out.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from monitoring.snmp.interfaces import Counter, rate

SLOT_S = 300
SLOTS = 7 * 24 * 3600 // SLOT_S  # 2,016
LEAST_SAMPLES = math.ceil(0.95 * SLOTS)  # 1,916
LIMIT_PCT = 90.0
LONGEST_STEP_S = 1.5 * SLOT_S  # two readings further apart are the ends of a gap: their mean would hide a peak
LEAST_COVERED_S = SLOT_S / 2  # of a slot, for it to have a sample
LONGEST_PAUSE_S = 28 * 24 * 3600
NEVER: frozenset[int] = frozenset()
UPTIME_WRAPS_MS = 2**32 * 10


class Judgement(StrEnum):
    WITHIN = "within"
    OVER = "over"
    TOO_FEW = "too-few-samples"


@dataclass(frozen=True, slots=True, kw_only=True)
class OctetReading:
    """The octet counters of an interface at one moment."""

    at: float  # seconds since 1970
    uptime_ms: int  # of the device
    bits: int  # of the counters: 32 or 64
    speed_bps: int  # of the interface; 0: unknown
    in_octets: int
    out_octets: int

    def counter(self, is_in: bool) -> Counter:
        return Counter(value=self.in_octets if is_in else self.out_octets, bits=self.bits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One direction of a link over the window. `p95_bps` None: too few samples to say."""

    samples: int
    p95_bps: float | None
    p95_pct: float | None  # of the contracted rate
    judgement: Judgement


def use_of(
    readings: Iterable[OctetReading],
    *,
    start: float,
    capacity_bps: int,
    is_in: bool,
    paused: Collection[int] = NEVER,
) -> Use:
    """The use of one direction in the 7 days from `start` on, seconds since 1970, without what was `paused`.

    capacity_bps: contracted, above 0; paused: as `paused_slots` gives them.
    """
    return judged(samples_of(readings, start=start, is_in=is_in, paused=paused), capacity_bps)


def paused_slots(outages: Iterable[tuple[float, float]], end: float) -> frozenset[int]:
    """The slots that outages touch, [from, to) in seconds since 1970, by number since 1970; of LONGEST_PAUSE_S before
    `end`, so that a window is never longer than five weeks."""
    oldest = end - LONGEST_PAUSE_S
    return frozenset(
        slot
        for begin, to in outages
        for slot in range(int(max(begin, oldest) // SLOT_S), math.ceil(min(to, end) / SLOT_S))
    )


def start_of(end: float, paused: Collection[int]) -> float:
    """Where the window begins that ends at `end` and has 7 days outside of what was paused."""
    slot, missing = int(end // SLOT_S), SLOTS
    while missing:
        slot -= 1
        missing -= slot not in paused
    return float(slot * SLOT_S)


def judged(samples: Sequence[float], capacity_bps: int) -> Use:
    """The verdict over samples in bits per second, in any order."""
    if len(samples) < LEAST_SAMPLES:
        return Use(samples=len(samples), p95_bps=None, p95_pct=None, judgement=Judgement.TOO_FEW)
    value = percentile(samples, 95)
    share = 100 * value / capacity_bps
    judgement = Judgement.OVER if share > LIMIT_PCT else Judgement.WITHIN
    return Use(samples=len(samples), p95_bps=value, p95_pct=share, judgement=judgement)


def percentile(samples: Sequence[float], per_cent: int) -> float:
    """Nearest rank: the smallest sample that `per_cent` of all do not exceed. Of one sample or more."""
    rank = -(-len(samples) * per_cent // 100)  # rounded up in whole numbers
    return sorted(samples)[max(rank, 1) - 1]


def samples_of(
    readings: Iterable[OctetReading], *, start: float, is_in: bool, paused: Collection[int] = NEVER
) -> list[float]:
    """Bits per second of each five-minute slot from `start` on that is known and not paused, in order of time.

    Readings do not fall on the slots' edges: a slot has the mean of what was measured within it, weighted by time, if
    that is half of it or more. Nothing is measured across a restart, a reset, a change of counters or a gap.
    """
    first, slots = int(start // SLOT_S), SLOTS
    while (longer := SLOTS + sum(first + n in paused for n in range(slots))) > slots:
        slots = longer
    bits, covered = [0.0] * slots, [0.0] * slots
    for begin, end, bps in _runs(sorted(readings, key=lambda r: r.at), is_in):
        for slot, seconds in _slots(begin - start, min(end - start, float(slots * SLOT_S))):
            bits[slot] += bps * seconds
            covered[slot] += seconds
    return [
        b / c
        for slot, (b, c) in enumerate(zip(bits, covered, strict=True), first)
        if c >= LEAST_COVERED_S and slot not in paused
    ]


def _runs(readings: Sequence[OctetReading], is_in: bool) -> Iterator[tuple[float, float, float]]:
    """From when to when how many bits per second went through."""
    for before, now in pairwise(readings):
        seconds = now.at - before.at
        if not 0 < seconds <= LONGEST_STEP_S or _has_restarted(before, now):
            continue
        octets = rate(before.counter(is_in), now.counter(is_in), seconds, now.speed_bps / 8)
        if octets is not None:
            yield before.at, now.at, octets * 8


def _has_restarted(before: OctetReading, now: OctetReading) -> bool:
    """Its uptime went back, other than by its wrap after 497 days."""
    elapsed_ms = (now.at - before.at) * 1000
    return now.uptime_ms < before.uptime_ms and before.uptime_ms + elapsed_ms + 60_000 < UPTIME_WRAPS_MS


def _slots(begin: float, end: float) -> Iterator[tuple[int, float]]:
    """Which slots a span touches, and for how many seconds each."""
    begin = max(begin, 0.0)
    while begin < end:
        slot = int(begin // SLOT_S)
        edge = min(end, float((slot + 1) * SLOT_S))
        yield slot, edge - begin
        begin = edge
