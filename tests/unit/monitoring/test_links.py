"""The 95th percentile of a week of five-minute samples: computed by hand, and from stored events."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canh.cli import main
from canh.verbs.links import _show
from monitoring.capacity import (
    LEAST_SAMPLES,
    SLOT_S,
    SLOTS,
    Judgement,
    OctetReading,
    judged,
    paused_slots,
    percentile,
    samples_of,
    start_of,
    use_of,
)
from monitoring.event import Event
from monitoring.links import link_uses, wan_links, window
from monitoring.store import Store, StoreWriter
from tests.unit.monitoring.lab import ROOT, province

START = 1_763_000_100.0  # a multiple of five minutes
MBIT = 1_000_000


def readings(
    bps: list[float], *, step: float = SLOT_S, start: float = START, bits: int = 64, first: int = 0, speed: int = 10**9
) -> list[OctetReading]:
    """A reading at `start` and one after each step; in between, so many bits a second came in, half of it went out."""
    found, octets = [], float(first)
    for index, value in enumerate([0.0, *bps]):
        octets += value * step / 8 if index else 0
        found.append(
            OctetReading(
                at=start + index * step,
                uptime_ms=1_000_000 + round(index * step * 1000),
                bits=bits,
                speed_bps=speed,
                in_octets=int(octets) % 2**bits,
                out_octets=int(octets / 2) % 2**bits,
            )
        )
    return found


def samples(found: list[OctetReading], *, is_in: bool = True) -> list[float]:
    return samples_of(found, start=START, is_in=is_in)


def test_the_1916th_smallest_of_2016_counts() -> None:
    assert (SLOTS, LEAST_SAMPLES) == (2016, 1916)
    numbers = [float(n) for n in range(1, 2017)]
    random.Random(4).shuffle(numbers)
    assert percentile(numbers, 95) == 1916.0
    assert percentile([7.0], 95) == 7.0
    assert percentile([float(n) for n in range(1, 21)], 95) == 19.0
    assert percentile([float(n) for n in range(1, 22)], 95) == 20.0


def test_a_hundred_busy_samples_of_the_week_are_free_and_one_more_is_not() -> None:
    """A link of 10 Mbit/s that is idle but for 100 (then 101) five minutes at 9.5 Mbit/s."""
    for busy, expected, judgement in ((100, 1.0, Judgement.WITHIN), (101, 95.0, Judgement.OVER)):
        week = [0.1 * MBIT] * (SLOTS - busy) + [9.5 * MBIT] * busy
        use = use_of(readings(week), start=START, capacity_bps=10 * MBIT, is_in=True)
        assert (use.samples, round(use.p95_pct or 0, 6), use.judgement) == (2016, expected, judgement)


def test_exactly_ninety_per_cent_is_within() -> None:
    assert judged([9.0 * MBIT] * SLOTS, 10 * MBIT).judgement is Judgement.WITHIN
    assert judged([9.0 * MBIT + 1] * SLOTS, 10 * MBIT).judgement is Judgement.OVER


def test_directions_are_apart() -> None:
    week = readings([8.0 * MBIT] * SLOTS)
    into, out = (use_of(week, start=START, capacity_bps=8 * MBIT, is_in=i) for i in (True, False))
    assert (into.p95_pct, into.judgement) == (100.0, Judgement.OVER)
    assert (out.p95_pct, out.judgement) == (50.0, Judgement.WITHIN)


def test_too_few_samples_are_no_verdict_and_a_gap_is_no_zero() -> None:
    """100 slots may be missing, 101 may not; and the percentile is of those that are there."""
    assert judged([1.0] * 1915, MBIT) == judged([1e9] * 1915, MBIT)
    assert judged([1.0] * 1915, MBIT).judgement is Judgement.TOO_FEW
    assert judged([9.5 * MBIT] * 1916, 10 * MBIT).judgement is Judgement.OVER


def test_a_gap_costs_the_slots_it_covers() -> None:
    hour = readings([MBIT] * 12)
    assert samples(hour) == [MBIT] * 12
    without = [r for r in hour if r.at not in (START + 4 * SLOT_S, START + 5 * SLOT_S)]
    assert samples(without) == [MBIT] * 9, "slots 3, 4 and 5 lie between two readings 15 minutes apart"
    one = [r for r in hour if r.at != START + 4 * SLOT_S]
    assert samples(one) == [MBIT] * 10, "a mean over ten minutes would hide a peak of five"


@given(st.lists(st.tuples(st.integers(-3000, 2100), st.integers(1, 900)), max_size=5))
def test_whatever_was_paused_the_window_has_seven_days_and_nothing_of_the_pauses(spans: list[tuple[int, int]]) -> None:
    end = START + SLOTS * SLOT_S
    outages = [(START + a * SLOT_S + 7, START + (a + n) * SLOT_S - 7) for a, n in spans]
    paused = paused_slots(outages, end)
    start = start_of(end, paused)
    assert sum(slot not in paused for slot in range(int(start // SLOT_S), int(end // SLOT_S))) == SLOTS
    assert int(start // SLOT_S) not in paused and start <= START
    busy = [9.0 if start // SLOT_S + n in paused else 1.0 for n in range(int((end - start) // SLOT_S))]
    found = samples_of(readings([b * MBIT for b in busy], start=start), start=start, is_in=True, paused=paused)
    assert len(found) == SLOTS and max(found) < 1.001 * MBIT


def test_no_pause_makes_a_window_longer_than_five_weeks() -> None:
    end = START + SLOTS * SLOT_S
    assert start_of(end, paused_slots([(0.0, end)], end)) == end - 35 * 24 * 3600


def test_readings_between_the_edges_of_slots_are_shared_out() -> None:
    """Readings 100 s past the edges: 300 s at 3 Mbit/s from 100 to 400, then 6 Mbit/s from 400 to 700.

    Slot 0 knows 200 s at 3. Slot 1 (300..600) has 100 s at 3 and 200 s at 6: 5 Mbit/s. Slot 2 knows 100 s: too little.
    """
    assert samples(readings([3.0 * MBIT, 6.0 * MBIT], start=START + 100)) == [3.0 * MBIT, 5.0 * MBIT]


def test_readings_each_minute_give_the_mean_of_five() -> None:
    minutes = [1.0 * MBIT, 2.0 * MBIT, 3.0 * MBIT, 4.0 * MBIT, 5.0 * MBIT]
    assert samples(readings(minutes, step=60)) == [3.0 * MBIT]


def test_a_restart_costs_its_slot_and_no_more() -> None:
    """Counters begin at 0 again between the third and the fourth reading."""
    before, after = readings([MBIT, MBIT]), readings([MBIT, MBIT], start=START + 3 * SLOT_S)
    after = [OctetReading(at=r.at, uptime_ms=60_000 + i * 300_000, bits=64, speed_bps=10**9,
                          in_octets=r.in_octets + 10**12, out_octets=0) for i, r in enumerate(after)]  # fmt: skip
    assert samples(before + after) == [MBIT] * 4, "slots 0, 1, 3 and 4; a higher counter does not deceive"


def test_uptime_that_wraps_is_no_restart() -> None:
    wrapped = [
        OctetReading(at=START + n * SLOT_S, uptime_ms=(2**32 * 10 - 400_000 + n * 300_000) % (2**32 * 10), bits=64,
                     speed_bps=10**9, in_octets=n * 37_500_000, out_octets=0) for n in range(4)
    ]  # fmt: skip
    assert samples(wrapped) == [MBIT] * 3


def test_a_32_bit_counter_wraps_once_between_two_readings() -> None:
    hour = readings([10.0 * MBIT] * 12, bits=32, first=2**32 - 10**6, speed=100 * MBIT)
    assert [round(s / MBIT, 6) for s in samples(hour)] == [10.0] * 12


def test_a_32_bit_counter_on_a_fast_link_is_not_believed() -> None:
    assert samples(readings([10.0 * MBIT] * 12, bits=32, speed=10**9)) == [], "it may wrap nine times in five minutes"


def test_a_counter_that_was_reset_or_changed_its_width_costs_its_slot() -> None:
    hour = readings([MBIT] * 6)
    reset = [r if i < 3 else OctetReading(at=r.at, uptime_ms=r.uptime_ms, bits=64, speed_bps=10**9,
             in_octets=r.in_octets - 100_000_000, out_octets=0) for i, r in enumerate(hour)]  # fmt: skip
    assert len(samples(reset)) == 5
    other = [r if i < 3 else OctetReading(at=r.at, uptime_ms=r.uptime_ms, bits=32, speed_bps=MBIT * 10,
             in_octets=r.in_octets, out_octets=0) for i, r in enumerate(hour)]  # fmt: skip
    assert len(samples(other)) == 5


@given(
    bps=st.lists(st.integers(0, 10**9), min_size=1, max_size=30),
    offset=st.floats(0, 299),
    order=st.randoms(use_true_random=False),
)
def test_samples_lie_between_the_rates_and_do_not_depend_on_order(
    bps: list[int], offset: float, order: random.Random
) -> None:
    found = readings([float(b) for b in bps], start=START + offset)
    shuffled = list(found)
    order.shuffle(shuffled)
    assert samples(shuffled) == samples(found)
    assert all(min(bps) - 1 <= s <= max(bps) + 1 for s in samples(found))


Anything = st.builds(
    OctetReading,
    at=st.floats(0, 2e9),
    uptime_ms=st.integers(0, 2**40),
    bits=st.sampled_from([32, 64]),
    speed_bps=st.integers(0, 2**40),
    in_octets=st.integers(0, 2**64),
    out_octets=st.integers(0, 2**64),
)


@given(st.lists(Anything, max_size=20))
def test_no_readings_stop_the_verdict(found: list[OctetReading]) -> None:
    assert use_of(found, start=START, capacity_bps=1, is_in=True).judgement is Judgement.TOO_FEW


LINK, NEAR, FAR = "core1--hh-ce1", "hh-ce1", "core1"
END = datetime(2026, 11, 22, tzinfo=UTC)


def stored(folder: Path, device: str, found: list[OctetReading]) -> None:
    """The events polling leaves of these readings."""
    with StoreWriter(folder) as writer:
        writer.write([_event(number, device, r) for number, r in enumerate(found)])
        writer.commit({})


def _event(number: int, device: str, found: OctetReading) -> Event:
    stamp = datetime.fromtimestamp(found.at, UTC).isoformat(timespec="microseconds")[:26] + "Z"
    return Event(
        {
            "@timestamp": stamp,
            "event.ingested": stamp,
            "event.id": f"00000000-0000-5000-8000-{number:012d}",
            "event.original": "",
            "message": "",
            "event.dataset": "snmp.interface",
            "canh.device": device,
            "canh.interface.link": LINK,
            "canh.interface.counter_bits": found.bits,
            "canh.interface.speed_bps": found.speed_bps,
            "canh.interface.in_octets": found.in_octets,
            "canh.interface.out_octets": found.out_octets,
            "canh.system.uptime_ms": found.uptime_ms,
        }
    )


def busy(folder: Path, device: str) -> int:
    """A week at 95 % of the contract into the device; returns the contract."""
    capacity = province().links[LINK].bandwidth_bps
    start, end = window(END + timedelta(minutes=2))
    assert (start, end) == (END - timedelta(days=7), END)
    stored(folder, device, readings([0.95 * capacity] * SLOTS, start=start.timestamp()))
    return capacity


def test_a_link_is_judged_from_stored_events(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capacity = busy(tmp_path, NEAR)
    command = ["--province", str(ROOT / "inventory/provinces/lab"), "--data", str(tmp_path)]
    assert main([*command, "--json", "links", LINK, "--to", END.isoformat()]) == 1
    link = json.loads(capsys.readouterr().out)["links"][0]
    assert (link["measured_at"], link["out"]["judgement"]) == (NEAR, "within")
    assert link["in"] == {
        "samples": 2016, "p95_bps": round(0.95 * capacity), "p95_pct": 95.0, "judgement": "over"
    }  # fmt: skip
    assert main([*command, "links", LINK, "--to", (END + timedelta(days=3)).isoformat()]) == 1
    assert "no verdict: fewer than 1916 samples" in capsys.readouterr().out


def test_the_far_end_tells_the_same_the_other_way_round(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    busy(tmp_path, FAR)
    use = next(link_uses(province(), Store(tmp_path), END, [LINK]))
    assert (use.measured_at, use.out_of_site.judgement, use.into_site.judgement) == (FAR, "over", "within")
    _show([use], END, END)
    assert "OVER" in capsys.readouterr().out


def test_only_links_of_the_inventory_are_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert LINK in wan_links(province())
    assert main(["--data", str(tmp_path), "links", "nowhere"]) == 2
    assert "'nowhere' is no link" in capsys.readouterr().err
