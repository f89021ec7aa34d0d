"""What an answer to a poll says: rates over wraps, resets and restarts; and a real snmpd asked."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.receivers import Counters, Intake
from monitoring.snmp.poller import Poller, Target
from monitoring.snmp.polling import Counter, Sample, failure_record, has_restarted, rate, records_of, sample_of
from monitoring.snmp.usm import Account
from monitoring.spool import Spool, SpoolReader

IF, IFX = "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"
USER = Account(user="canh", auth_password="authentic-9", priv_password="secretive-9")


def answer(octets: int, *, wide: bool = True, ticks: int = 100_000, oper: int = 1) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "1.3.6.1.2.1.1.1.0": b"Linux",
        "1.3.6.1.2.1.1.2.0": "1.3.6.1.4.1.8072.3.2.10",
        "1.3.6.1.2.1.1.3.0": ticks,
        "1.3.6.1.2.1.1.5.0": b"dc-r1",
        f"{IF}.2.3": b"eth2",
        f"{IF}.3.3": 6,
        f"{IF}.7.3": 1,
        f"{IF}.8.3": oper,
        f"{IF}.10.3": octets % 2**32,
    }
    if wide:
        facts |= {f"{IFX}.1.3": b"eth2", f"{IFX}.6.3": octets, f"{IFX}.15.3": 1000, f"{IFX}.18.3": b"to dc-fw1"}
    else:
        facts[f"{IF}.5.3"] = 100_000_000
    return facts


def sample(octets: int, at: float, **more: Any) -> Sample:
    return sample_of(answer(octets, **more), at=at, took_s=0.01)


def interface(before: Sample | None, now: Sample) -> dict[str, Any]:
    document = json.loads(records_of("dc-r1", before, now)[1])
    assert isinstance(document, dict)
    return document


def test_an_answer_is_told_in_words() -> None:
    system, port = map(json.loads, records_of("dc-r1", None, sample(5, 0.0, oper=7)))
    assert system["system"]["name"] == "dc-r1"
    assert (system["is_up"], system["uptime_ms"], system["restarted"]) == (True, 1_000_000, False)
    assert (port["name"], port["alias"], port["speed_bps"]) == ("eth2", "to dc-fw1", 10**9)
    assert (port["admin_status"], port["oper_status"]) == ("up", "lower-layer-down")
    assert port["in_bps"] is port["interval_s"] is None


@given(first=st.integers(0, 2**64 - 1), more=st.integers(0, 10**9))
def test_a_rate_is_the_difference_over_the_time(first: int, more: int) -> None:
    if first + more < 2**64:
        assert rate(Counter(value=first, bits=64), Counter(value=first + more, bits=64), 60, 0) == more / 60


@given(first=st.integers(0, 2**32 - 1), more=st.integers(0, 2**31))
def test_a_32_bit_counter_may_wrap(first: int, more: int) -> None:
    now = Counter(value=(first + more) % 2**32, bits=32)
    assert rate(Counter(value=first, bits=32), now, 60, 0) == more / 60


def test_a_64_bit_counter_that_went_back_was_reset() -> None:
    assert interface(sample(10**12, 0.0), sample(5, 60.0, ticks=106_000))["in_bps"] is None


def test_a_32_bit_counter_that_was_reset_is_no_wrap() -> None:
    before, now = sample(10**6, 0.0, wide=False), sample(5, 60.0, wide=False, ticks=106_000)
    assert interface(before, now)["in_bps"] is None, "4 GB in a minute do not go through 100 Mbit/s"


def test_bits_per_second_of_an_interface() -> None:
    port = interface(sample(1_000_000, 0.0), sample(1_750_000, 60.0, ticks=106_000))
    assert (port["in_bps"], port["interval_s"]) == (100_000.0, 60.0)


def test_a_restart_gives_no_rates_and_is_told() -> None:
    before, now = sample(1_000, 0.0), sample(2_000, 60.0, ticks=500)
    assert json.loads(records_of("dc-r1", before, now)[0])["restarted"] is True
    assert interface(before, now)["in_bps"] is None


def test_uptime_wraps_after_497_days_without_a_restart() -> None:
    before = replace(sample(1, 0.0), uptime_ms=2**32 * 10 - 30_000)
    assert not has_restarted(before, replace(sample(2, 60.0), uptime_ms=30_000))
    assert has_restarted(replace(before, uptime_ms=10**9), replace(sample(2, 60.0), uptime_ms=30_000))


@given(st.dictionaries(st.text("0123456789.", max_size=30).map(lambda t: f"{IF}.{t}"), st.binary(max_size=5)))
def test_no_answer_stops_the_poller(rubbish: dict[str, Any]) -> None:
    records_of("x", None, sample_of(rubbish, at=0.0, took_s=0.0))


def test_a_failure_is_a_record() -> None:
    assert json.loads(failure_record("x", "timeout", "none", 2)) == {
        "kind": "failure",
        "device": "x",
        "is_up": False,
        "reason": "timeout",
        "detail": "none",
        "failures": 2,
    }


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[int]:
    """The port of a real snmpd that knows USER."""
    if shutil.which("snmpd", path=os.environ["PATH"] + ":/usr/sbin") is None:
        pytest.skip("needs net-snmp's snmpd (package snmpd)")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = int(sock.getsockname()[1])
    account = f"createUser canh SHA-256 {USER.auth_password} AES {USER.priv_password}\nrouser canh authpriv\n"
    (tmp_path / "snmpd.conf").write_text(f"agentaddress udp:127.0.0.1:{port}\n{account}sysLocation here\n")
    command = ["/usr/sbin/snmpd", "-f", "-C", "-c", str(tmp_path / "snmpd.conf"), "-LF", "3", str(tmp_path / "log")]
    environment = os.environ | {"SNMP_PERSISTENT_DIR": str(tmp_path / "persistent"), "MIBS": ""}
    with subprocess.Popen([*command, "-p", str(tmp_path / "pid")], env=environment) as process:
        yield port
        process.terminate()


def test_a_real_agent_is_polled_and_a_dead_one_is_told(agent: int, tmp_path: Path) -> None:
    async def work() -> None:
        spool = Spool(tmp_path / "spool/test")
        intake = Intake(spool, Counters(tmp_path / "collect.json"))
        intake.start()
        alive = Target(device="alive", address="127.0.0.1", port=agent)
        poller = Poller((alive, Target(device="dead", address="127.0.0.1", port=9)), USER, intake, period_s=1.0)
        until = time.monotonic() + 10  # the agent takes a moment to start
        while (await poller.ask(alive))[0] is None and time.monotonic() < until:
            pass
        stranger = Poller((), replace(USER, auth_password="authentic-8"), intake, period_s=1.0)
        assert (await stranger.ask(alive))[1] == "authentication"
        polling = asyncio.create_task(poller.run())
        polls = intake.counters.polls
        while (polls["up"] < 3 or not polls["down"]) and time.monotonic() < until + 20:
            await asyncio.sleep(0.1)
        polling.cancel()
        await intake.stop()
        spool.close()

    asyncio.run(work())
    found = [json.loads(r.raw) for r in SpoolReader(tmp_path / "spool/test").read(0)[0]]
    loopback = [d for d in found if d["kind"] == "interface" and d["name"] == "lo"]
    assert len(loopback) >= 3
    assert loopback[0]["in_bps"] is None
    assert loopback[-1]["in_bps"] >= 0
    assert loopback[-1]["oper_status"] == "up"
    systems = [d for d in found if d["kind"] == "system"]
    assert all(s["system"]["location"] == "here" for s in systems)
    assert next(d["device"] for d in found if d["kind"] == "failure") == "dead"
