"""A spool that fills: first an event, then senders over TCP wait, last UDP is dropped and counted."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from monitoring import collector
from monitoring.collector import Collector, CollectorSettings
from monitoring.receivers import Listen
from monitoring.receivers.taken import Taken
from monitoring.spool import SpoolReader, spools
from monitoring.stats import balance_of
from monitoring.usage import Level, Usage, UsagePolicy, default_receivers
from tests.unit.monitoring.lab import province

LOCAL = (Listen(address="127.0.0.1", port=0),)
BUDGET = 1_000_000
TCP = "syslog-tcp 127.0.0.1"


def messages_of(spool: Path) -> list[bytes]:
    reader, position, found = SpoolReader(spool), 0, list[bytes]()
    while True:
        records, position = reader.read(position, 100_000)
        if not records:
            return found
        found += [r.raw for r in records]


@given(shares=st.lists(st.floats(0, 1), max_size=50))
def test_levels_rise_at_their_marks_and_change_is_told_once(shares: list[float]) -> None:
    usage = Usage(UsagePolicy(alert_share=0.6, tcp_waits_share=0.8))
    for share in shares:
        before = usage.level
        moved = usage.moved(share)
        assert moved in (None, usage.level)
        assert (moved is None) == (usage.level is before)
        if share >= 0.8:
            assert usage.level is Level.TCP_WAITS
        elif share >= 0.6:
            assert usage.level is not Level.NORMAL
        elif share < 0.5:
            assert usage.level is Level.NORMAL


def test_it_does_not_flutter_at_a_mark() -> None:
    usage = Usage(UsagePolicy(alert_share=0.6, tcp_waits_share=0.8))
    told = [usage.moved(0.6 + 0.01 * (n % 2)) for n in range(20)] + [
        usage.moved(0.59 + 0.01 * (n % 2)) for n in range(20)
    ]
    assert [level for level in told if level] == [Level.ALERT]


def test_the_default_follows_the_cores() -> None:
    assert 1 <= default_receivers() <= 8


def test_the_policy_in_order_and_everything_accounted_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "SAVE_S", 0.05)
    settings = CollectorSettings(
        syslog_udp=LOCAL,
        syslog_tcp=LOCAL,
        traps=(),
        poll_period_s=0,
        with_store=False,
        spool_budget_octets=BUDGET,
        usage=UsagePolicy(alert_share=0.5, tcp_waits_share=0.7),
    )

    def held() -> list[bytes]:
        return messages_of(spools(tmp_path)[0])

    def levels() -> list[str]:
        return [json.loads(raw)["level"] for raw in held() if raw.startswith(b"{")]

    async def until(is_so: object) -> None:
        assert callable(is_so)
        for _ in range(3000):
            if is_so():
                return
            await asyncio.sleep(0.02)
        raise AssertionError("it did not happen in time")

    async def run() -> None:
        made, stop = Collector(settings, province(), tmp_path), asyncio.Event()
        task = asyncio.create_task(made.run(stop))
        while len(made.ports) < 2:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        stream = socket.create_connection(("127.0.0.1", made.ports["syslog-tcp"][0]))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.connect(("127.0.0.1", made.ports["syslog-udp"][0]))
        line = b"<13>" + b"x" * 995 + b"\n"
        for _ in range(55):
            stream.sendall(line * 10)
        await until(lambda: levels() == ["alert"])
        stream.sendall(line * 200)
        await until(lambda: levels() == ["alert", "tcp-waits"])
        stream.sendall(line * 5)  # taken in the moment of stopping, or left to wait
        before = -1
        while before != len(held()):
            before = len(held())
            await asyncio.sleep(0.2)
        stream.sendall(line * 20)
        await asyncio.sleep(0.3)
        assert len(held()) == before, "TCP waits"
        assert made_drops(tmp_path) == 0
        for _ in range(20):
            udp.send(b"<13>udp has what is left")
        await until(lambda: held().count(b"<13>udp has what is left") == 20)
        for _ in range(400):
            udp.send(line)
            await asyncio.sleep(0.001)
        await until(lambda: made_drops(tmp_path) > 0)
        reader = SpoolReader(spools(tmp_path)[0])
        reader.commit("store", reader.end)
        await until(lambda: levels()[-1:] == ["normal"])
        # What waited is read now.
        await until(lambda: {s.source: s.received for s in balance_of(tmp_path).sources}[TCP] == 550 + 200 + 5 + 20)
        stream.close()
        udp.close()
        await asyncio.sleep(0.1)
        stop.set()
        await task

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())
    balance = balance_of(tmp_path)
    by_source = {s.source: s for s in balance.sources}
    assert by_source[TCP].received == 550 + 200 + 5 + 20, "nothing of TCP is lost"
    assert by_source["syslog-udp 127.0.0.1"].received == 20 + 400
    assert balance.dropped == {"spool-full": {"syslog-udp 127.0.0.1": by_source["syslog-udp 127.0.0.1"].dropped}}


def made_drops(data_dir: Path) -> int:
    document = json.loads((data_dir / "stats/collect.json").read_text())
    return sum(n for counts in document["dropped"].values() for n in counts.values())


def test_taken_outlives_its_process_and_follows_what_is_known_better(tmp_path: Path) -> None:
    first = Taken(tmp_path)
    first.add("syslog-udp", 10)
    first.add("syslog-tcp", 5)
    first.add("syslog-udp", 1)
    second = Taken(tmp_path)  # the first was never closed
    assert second.lost({"syslog-udp": 8, "syslog-tcp": 5}) == {"syslog-udp": 3}
    assert second.lost({"syslog-udp": 11, "syslog-tcp": 9}) == {}
    third = Taken(tmp_path)
    assert third.lost({"syslog-udp": 11, "syslog-tcp": 9}) == {}, "it followed"
    assert third.lost({}) == {"syslog-udp": 11, "syslog-tcp": 9}
    for each in (first, second, third):
        each.close()
