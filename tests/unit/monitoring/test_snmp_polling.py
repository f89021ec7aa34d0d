"""What an answer to a poll says: rates over wraps, resets and restarts; what changed; what a device has."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.snmp import known
from monitoring.snmp.catalogue import full
from monitoring.snmp.interfaces import Counter, Uplink, rate
from monitoring.snmp.polling import Memory, Reading, documents_of, failure_record, has_restarted
from monitoring.snmp.profile import BGP_STATE, OSPF_STATE, Profile, discover

IF, IFX, SYS = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1", "1.3.6.1.2.1.1"
WAN = {"eth2": Uplink(link="dc-r1--dc-fw1", bandwidth_bps=10_000_000, is_wan=True)}
Documents = list[dict[str, Any]]


class Agent:
    """A device on a dict: `profile.Ask`."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = {full(oid): value for oid, value in values.items()}

    async def get(self, oids: Sequence[str]) -> dict[str, Any]:
        return {oid: self.values[oid] for oid in oids if oid in self.values}

    async def walk(self, column: str, rows: int) -> dict[str, Any]:
        return {oid[len(column) + 1 :]: v for oid, v in self.values.items() if oid.startswith(f"{column}.")}


def router(
    octets: int = 0, *, wide: bool = True, oper: int = 1, more: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    facts: dict[str, Any] = {
        f"{SYS}.1.0": b"Linux dc-r1 6.1.0",
        f"{SYS}.2.0": "1.3.6.1.4.1.8072.3.2.10",
        f"{SYS}.3.0": 100_000,
        f"{SYS}.5.0": b"dc-r1",
        "1.3.6.1.2.1.2.1.0": 1,
        f"{IF}.2.3": b"eth2",
        f"{IF}.3.3": 6,
        f"{IF}.7.3": 1,
        f"{IF}.8.3": oper,
        f"{IF}.10.3": octets % 2**32,
        f"{IF}.16.3": octets % 2**32,
    }
    if wide:
        facts |= {f"{IFX}.1.3": b"eth2", f"{IFX}.6.3": octets, f"{IFX}.10.3": octets}
        facts |= {f"{IFX}.15.3": 1000, f"{IFX}.18.3": b"to dc-fw1"}
    else:
        facts[f"{IF}.5.3"] = 100_000_000
    return facts | dict(more or {})


def profile(facts: Mapping[str, Any]) -> Profile:
    return asyncio.run(discover(Agent(facts)))


def reading(facts: Mapping[str, Any], at: float, *, ticks: int | None = None, **more: Any) -> Reading:
    values = {full(oid): value for oid, value in facts.items()}
    values[f"{SYS}.3.0"] = 100_000 + round(at * 100) if ticks is None else ticks
    facts_of: dict[str, Any] = {"at": at, "took_s": 0.01, "values": values, "is_sample": True}
    return Reading(**(facts_of | more))


def told(*readings: Reading, has: Mapping[str, Any] | None = None, uplinks: Mapping[str, Uplink] = WAN) -> Documents:
    """The documents of the last of these readings, one after another."""
    about, memory = profile(router() if has is None else has), Memory()
    documents: list[bytes] = []
    for each in readings:
        documents, memory = documents_of("dc-r1", uplinks, about, memory, each)
    return [json.loads(d) for d in documents]


def of_kind(documents: Documents, kind: str) -> Documents:
    return [d for d in documents if d["kind"] == kind]


def metrics(documents: Documents) -> dict[str, float]:
    return {d["name"]: d["value"] for d in of_kind(documents, "metric")}


def test_an_answer_is_told_in_words() -> None:
    documents = told(reading(router(5, oper=7), 0.0))
    system, port = documents[0], of_kind(documents, "interface")[0]
    assert system["system"]["name"] == "dc-r1"
    assert (system["is_up"], system["uptime_ms"], system["restarted"]) == (True, 1_000_000, False)
    assert (port["name"], port["alias"], port["speed_bps"]) == ("eth2", "to dc-fw1", 10**9)
    assert (port["admin_status"], port["oper_status"]) == ("up", "lower-layer-down")
    assert (port["link"], port["contract_bps"], port["counter_bits"]) == ("dc-r1--dc-fw1", 10_000_000, 64)
    assert port["in_bps"] is port["interval_s"] is None


@given(first=st.integers(0, 2**64 - 1), more=st.integers(0, 10**9))
def test_a_rate_is_the_difference_over_the_time(first: int, more: int) -> None:
    if first + more < 2**64:
        assert rate(Counter(value=first, bits=64), Counter(value=first + more, bits=64), 60, 0) == more / 60


@given(first=st.integers(0, 2**32 - 1), more=st.integers(0, 2**31))
def test_a_32_bit_counter_may_wrap(first: int, more: int) -> None:
    now = Counter(value=(first + more) % 2**32, bits=32)
    assert rate(Counter(value=first, bits=32), now, 60, 0) == more / 60


def test_a_32_bit_counter_that_may_have_wrapped_twice_says_nothing() -> None:
    before, now = Counter(value=0, bits=32), Counter(value=1000, bits=32)
    assert rate(before, now, 300, 12_500_000) == 1000 / 300, "100 Mbit/s: 3.75 GB in five minutes"
    assert rate(before, now, 300, 125_000_000) is None, "a gigabit wraps it every 34 s"


def test_a_64_bit_counter_that_went_back_was_reset() -> None:
    documents = told(reading(router(10**12), 0.0), reading(router(5), 60.0))
    assert of_kind(documents, "interface")[0]["in_bps"] is None
    assert "wan_in_pct" not in metrics(documents)


def test_a_32_bit_counter_that_was_reset_is_no_wrap() -> None:
    has = router(wide=False)
    documents = told(reading(router(10**6, wide=False), 0.0), reading(router(5, wide=False), 60.0), has=has)
    assert of_kind(documents, "interface")[0]["in_bps"] is None, "4 GB in a minute do not go through 100 Mbit/s"


def test_bits_per_second_and_per_cent_of_the_contract() -> None:
    documents = told(reading(router(1_000_000), 0.0), reading(router(1_750_000), 60.0))
    port = of_kind(documents, "interface")[0]
    assert (port["in_bps"], port["interval_s"]) == (100_000.0, 60.0)
    found = metrics(documents)
    assert (found["wan_in_pct"], found["wan_out_pct"], found["circuits_up"]) == (1.0, 1.0, 1)
    assert found["if_speed_pct"] == 100


def test_of_several_circuits_the_lost_ones_are_counted() -> None:
    second = WAN | {"eth3": Uplink(link="core2--dc-fw1", bandwidth_bps=10_000_000, is_wan=True)}
    assert metrics(told(reading(router(), 0.0), uplinks=second))["circuits_lost"] == 1, "eth3 is not there"
    assert metrics(told(reading(router(oper=2), 0.0), uplinks=second))["circuits_lost"] == 2
    assert "circuits_lost" not in metrics(told(reading(router(oper=2), 0.0))), "nothing stands in for a single one"


def test_an_interface_is_told_with_the_samples_and_when_it_changed() -> None:
    up = reading(router(1), 0.0)
    quiet = reading(router(2), 60.0, is_sample=False)
    assert not of_kind(told(up, quiet), "interface")
    down = of_kind(told(up, reading(router(2, oper=2), 60.0, is_sample=False)), "interface")[0]
    assert (down["change"], down["oper_status"]) == ("down", "down")
    again = reading(router(3), 120.0, is_sample=False)
    assert of_kind(told(up, reading(router(2, oper=2), 60.0), again), "interface")[0]["change"] == "up"


def test_rates_span_from_sample_to_sample() -> None:
    between = reading(router(10**6), 60.0, is_sample=False)
    port = of_kind(told(reading(router(0), 0.0), between, reading(router(37_500), 300.0)), "interface")[0]
    assert (port["in_bps"], port["interval_s"]) == (1000.0, 300.0)


def test_two_interfaces_of_one_name_are_two() -> None:
    def twins(one: int, other: int) -> dict[str, Any]:
        facts = router(one) | {"1.3.6.1.2.1.2.1.0": 2, f"{IF}.2.4": b"eth2", f"{IF}.7.4": 1, f"{IF}.8.4": 1}
        return facts | {f"{IFX}.1.4": b"eth2", f"{IFX}.6.4": other, f"{IFX}.10.4": other}

    documents = told(reading(twins(0, 10**9), 0.0), reading(twins(7500, 10**9 + 15_000), 60.0), has=twins(0, 0))
    assert [d["in_bps"] for d in of_kind(documents, "interface")] == [1000.0, 2000.0]


def test_a_restart_gives_no_rates_and_is_told() -> None:
    documents = told(reading(router(1_000), 0.0), reading(router(2_000), 60.0, ticks=500))
    assert documents[0]["restarted"] is True
    assert of_kind(documents, "interface")[0]["in_bps"] is None


def test_uptime_wraps_after_497_days_without_a_restart() -> None:
    before = Memory(is_known=True, uptime_ms=2**32 * 10 - 30_000)
    now = reading({}, 60.0, ticks=3_000)
    assert not has_restarted(before, now)
    assert has_restarted(replace(before, uptime_ms=10**9), now)


def test_a_neighbour_that_is_lost_is_told_once() -> None:
    has = router(more={f"{BGP_STATE}.192.0.2.9": 6})
    up: dict[str, Any] = {"bgp": {"192.0.2.9": 6}}
    down: dict[str, Any] = {"bgp": {"192.0.2.9": 1}}
    first = told(reading(has, 0.0, **up), has=has)
    assert not of_kind(first, "neighbour"), "what is first seen has not changed"
    lost = of_kind(told(reading(has, 0.0, **up), reading(has, 60.0, **down), has=has), "neighbour")
    assert [(d["ip"], d["is_up"], d["state"], d["was"]) for d in lost] == [("192.0.2.9", False, "idle", "established")]
    still = told(reading(has, 0.0, **up), reading(has, 60.0, **down), reading(has, 120.0, **down), has=has)
    assert not of_kind(still, "neighbour")


def test_a_neighbour_that_is_gone_went_down_and_a_new_one_came_up() -> None:
    has = router(more={f"{OSPF_STATE}.10.0.0.2.0": 8})
    changes = of_kind(
        told(
            reading(has, 0.0, ospf={"10.0.0.2": 8, "10.0.0.4": 4}),
            reading(has, 60.0, ospf={"10.0.0.3": 8, "10.0.0.4": 4}, ospf_ids={"10.0.0.3": "10.250.0.3"}),
            has=has,
        ),
        "neighbour",
    )
    assert [(d["ip"], d["is_up"], d["state"], d["id"]) for d in changes] == [
        ("10.0.0.2", False, "gone", ""),
        ("10.0.0.3", True, "full", "10.250.0.3"),
    ]


def test_another_device_at_the_end_of_a_cable_is_told_with_its_port() -> None:
    has = router(more={"1.0.8802.1.1.2.1.3.7.1.3.1": b"eth2"})
    before, now = {"1": ("0a", "eth0", "dc-fw1")}, {"1": ("0b", "ge-0", "stranger")}
    changes = of_kind(told(reading(has, 0.0, lldp=before), reading(has, 300.0, lldp=now), has=has), "lldp")
    assert [(d["interface"], d["name"], d["was"], d["role"]) for d in changes] == [
        ("eth2", "stranger", "dc-fw1", "uplink")
    ]
    assert not of_kind(told(reading(has, 0.0, lldp=before), reading(has, 60.0, lldp=None), has=has), "lldp")


CISCO = router(
    more={
        f"{SYS}.1.0": b"Cisco IOS Software, Version 15.2(4)E10, RELEASE",
        f"{SYS}.2.0": "1.3.6.1.4.1.9.1.1208",
        "E.9.9.109.1.1.1.1.7.1": 40,
        "E.9.9.109.1.1.1.1.7.2": 60,
        "E.9.9.48.1.1.1.5.1": 300,
        "E.9.9.48.1.1.1.6.1": 100,
        "E.9.9.13.1.3.1.3.1006": 31,
        "E.9.9.13.1.4.1.2.1": b"Fan 1",
        "E.9.9.13.1.4.1.3.1": 1,
        "1.3.6.1.2.1.47.1.1.1.1.11.1": b"FOC1234X0AB",
        "1.3.6.1.2.1.25.3.3.1.2.1": 99,
    }
)


def test_a_vendor_is_measured_by_its_own_objects() -> None:
    found = metrics(told(reading(CISCO, 0.0), has=CISCO, uplinks={}))
    assert found == {"cpu_pct": 60, "memory_pct": 75, "temp_dc": 310}
    about = profile(CISCO)
    assert (about.version, about.serial) == ("15.2(4)E10", "FOC1234X0AB")


def test_a_device_of_nobody_we_know_is_measured_by_the_standard_ones() -> None:
    has = router(
        more={
            f"{SYS}.2.0": "1.3.6.1.4.1.99999.1",
            "1.3.6.1.2.1.25.3.3.1.2.1": 10,
            "1.3.6.1.2.1.25.3.3.1.2.2": 30,
            "1.3.6.1.2.1.25.2.3.1.2.1": "1.3.6.1.2.1.25.2.1.2",
            "1.3.6.1.2.1.25.2.3.1.2.4": "1.3.6.1.2.1.25.2.1.4",
            "1.3.6.1.2.1.25.2.3.1.5.1": 1000,
            "1.3.6.1.2.1.25.2.3.1.6.1": 250,
            "1.3.6.1.2.1.25.2.3.1.5.4": 10,
            "1.3.6.1.2.1.25.2.3.1.6.4": 9,
            # ENTITY-SENSOR-MIB: 8 degrees Celsius, scale 8 is thousandths, one decimal place; 10 is revolutions
            "1.3.6.1.2.1.99.1.1.1.1.5": 8,
            "1.3.6.1.2.1.99.1.1.1.2.5": 8,
            "1.3.6.1.2.1.99.1.1.1.3.5": 1,
            "1.3.6.1.2.1.99.1.1.1.4.5": 415_000,
            "1.3.6.1.2.1.99.1.1.1.1.6": 10,
            "1.3.6.1.2.1.99.1.1.1.4.6": 5000,
        }
    )
    found = metrics(told(reading(has, 0.0), has=has, uplinks={}))
    assert found == {"cpu_pct": 20, "memory_pct": 25, "temp_dc": 415}


def test_a_room_is_measured_probe_by_probe() -> None:
    has = router(
        more={
            f"{SYS}.2.0": "1.3.6.1.4.1.318.1.3.27",
            "E.318.1.1.25.1.2.1.3.1.1": b"Rack 1",
            "E.318.1.1.25.1.2.1.3.2.1": b"Rack 2",
            "E.318.1.1.25.1.2.1.6.1.1": 24,
            "E.318.1.1.25.1.2.1.6.2.1": -1,
            "E.318.1.1.25.1.2.1.7.1.1": 48,
            "E.318.1.1.1.2.2.1.0": 100,
            "E.318.1.1.1.2.2.3.0": 180_000,
        }
    )
    documents = of_kind(told(reading(has, 0.0, is_sample=False), has=has, uplinks={}), "metric")
    assert {(d["name"], d["value"], d["instance"]) for d in documents} == {
        ("room_temp_dc", 240, "Rack 1"),
        ("room_rh_pct", 48, "Rack 1"),
        ("ups_charge_pct", 100, ""),
        ("ups_runtime_min", 30, ""),
    }


def test_a_part_that_fails_is_told_once_and_when_it_is_well_again() -> None:
    fan = "E.9.9.13.1.4.1.3.1"
    well, broken = reading(CISCO, 0.0), reading(CISCO | {fan: 3}, 60.0)
    assert not of_kind(told(well, has=CISCO), "state")
    failed = of_kind(told(well, broken, has=CISCO), "state")
    assert [(d["part"], d["instance"], d["state"], d["action"], d["cleared"]) for d in failed] == [
        ("fan", "Fan 1", "critical", "fan-failed", "")
    ]
    assert not of_kind(told(well, broken, replace(broken, at=120.0), has=CISCO), "state")
    again = of_kind(told(well, broken, reading(CISCO, 120.0), has=CISCO), "state")
    assert [(d["was"], d["cleared"]) for d in again] == [("critical", "alarm-cleared")]
    silent = reading({k: v for k, v in CISCO.items() if k != fan}, 120.0)
    assert not of_kind(told(well, broken, silent, has=CISCO), "state"), "no answer is no news"


def test_what_a_device_is_is_told_when_it_changes() -> None:
    first = of_kind(told(reading(CISCO, 0.0, engine_id="aa"), has=CISCO), "identity")
    assert [(d["what"], d["was"], d["now"]) for d in first] == [("version", "", "15.2(4)E10")]
    swapped = told(reading(CISCO, 0.0, engine_id="aa"), reading(CISCO, 60.0, engine_id="bb"), has=CISCO)
    assert [(d["what"], d["was"], d["now"]) for d in of_kind(swapped, "identity")] == [("engine", "aa", "bb")]


def test_what_is_known_survives_a_restart_of_ours(tmp_path: Path) -> None:
    has = CISCO | {f"{BGP_STATE}.192.0.2.9": 6, "E.9.9.13.1.4.1.3.1": 3}
    about = profile(has)
    before = reading(has, 0.0, bgp={"192.0.2.9": 6}, lldp={"1": ("0a", "eth0", "x")}, engine_id="aa")
    _, memory = documents_of("sw1", {}, about, Memory(), before)
    known.save(tmp_path / "stats/devices.json", {"sw1": memory})
    kept = known.load(tmp_path / "stats/devices.json")["sw1"]
    assert (kept.identity, kept.neighbours, kept.bad) == (memory.identity, memory.neighbours, memory.bad)
    documents, _ = documents_of("sw1", {}, about, kept, reading(has, 9.0, bgp={}, engine_id="aa"))
    assert [json.loads(d)["kind"] for d in documents if json.loads(d)["kind"] not in ("interface", "metric")] == [
        "system",
        "neighbour",
    ]
    (tmp_path / "stats/devices.json").write_text('{"sw1": {"bad": 3}, "sw2": []}')
    assert known.load(tmp_path / "stats/devices.json") == {}


@pytest.mark.parametrize("loads", [(b"inf", b"-inf"), (float("nan"), 7.0), ("1e999", 7)])
def test_a_measurement_that_is_no_number_is_left_out(loads: tuple[Any, Any]) -> None:
    """Two processors at inf and -inf have no mean; what is NaN would be no JSON."""
    rows = {f"1.3.6.1.2.1.25.3.3.1.2.{n}": load for n, load in enumerate(loads)}
    measured = metrics(told(reading(router() | rows, 0.0), has=router() | rows))
    assert measured.get("cpu_pct", 7.0) == 7.0


Value = st.none() | st.integers(-(2**70), 2**70) | st.floats() | st.binary(max_size=8) | st.text(max_size=8)
Oid = st.sampled_from(sorted({*router(), *CISCO, f"{BGP_STATE}.1.2.3.4", "1.3.6.1.2.1.99.1.1.1.4.1"})) | st.builds(
    "{}.{}".format, st.sampled_from([f"{IF}.2", f"{IFX}.1", f"{IF}.8"]), st.text("0123456789.", max_size=9)
)


@given(has=st.dictionaries(Oid, Value, max_size=30), then=st.dictionaries(Oid, Value, max_size=30))
def test_no_answer_stops_the_poller(has: dict[str, Any], then: dict[str, Any]) -> None:
    """Whatever a device says it has, and whatever it answers afterwards."""
    told(reading(has, 0.0), reading(then, 60.0), reading(has, 90.0), has=has)


def test_a_failure_is_a_record() -> None:
    assert json.loads(failure_record("x", "timeout", "none", 2)) == {
        "kind": "failure",
        "device": "x",
        "is_up": False,
        "reason": "timeout",
        "detail": "none",
        "failures": 2,
    }


@pytest.mark.parametrize("vendor", ["cisco", "huawei", "h3c", "juniper", "fortinet", "mikrotik", "palo_alto", "f5"])
def test_each_common_vendor_has_a_processor_to_measure(vendor: str) -> None:
    from monitoring.snmp.catalogue import catalogue

    names = {m.name for v in catalogue().vendors if v.name in (vendor, "standard") for m in v.metrics}
    assert {"cpu_pct", "memory_pct", "temp_dc"} <= names
