"""Too many senders, too much at once: a receiver lets them wait, or goes on without them."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from monitoring.receivers import SyslogUdp, tcp
from monitoring.receivers.intake import DROP_OCTETS
from monitoring.spool import Received, SpoolReader
from tests.unit.monitoring.test_receivers import LOCAL, bench, connect, eventually, run, send_udp


class Flooded(SyslogUdp):
    """As under a flood: whenever something is taken, more is there already. For 40 s at most."""

    until = 0.0

    def take(self, datagrams: list[tuple[bytes, Any]]) -> None:
        super().take(datagrams)
        if time.monotonic() < self.until:
            send_udp(self.port, b"<13>more")


def test_a_flood_does_not_keep_it_from_stopping(tmp_path: Path) -> None:
    async def work() -> None:
        async with bench(tmp_path) as it:
            flooded = Flooded(LOCAL, it.intake, limit=1000, receive_buffer=1 << 20)
            flooded.start()
            send_udp(flooded.port, *[b"<13>%d" % n for n in range(600)])
            began = time.monotonic()
            flooded.until = began + 40
            flooded.stop()
            assert time.monotonic() < flooded.until, "it stopped while there was more"
            flooded.close()
        found = SpoolReader(tmp_path / "spool/test").read(0, 100_000)[0]
        assert {b"<13>%d" % n for n in range(600)} <= {r.raw for r in found}, "what had arrived is kept"

    run(work)


def test_what_tcp_brought_costs_no_datagram(tmp_path: Path) -> None:
    """Empty lines weigh 250 octets each: two clients that sent nothing else made UDP lose four messages in ten."""

    async def work() -> None:
        async with bench(tmp_path) as it:
            it.intake.put([Received(b"", 1, "syslog-tcp", "10.0.0.1", 1)] * 400_000)
            assert it.intake.held_octets > DROP_OCTETS and it.intake.is_full
            it.intake.put_or_drop([Received(b"<13>kept", 1, "syslog-udp", "10.0.0.2", 1)])
            await eventually(lambda: not it.intake.held_octets)
            assert it.spool.received.counts == {"syslog-tcp 10.0.0.1": 400_000, "syslog-udp 10.0.0.2": 1}
            heavy = [Received(b"x" * 1000, 1, "syslog-udp", "10.0.0.2", 1)] * (DROP_OCTETS // 1000)
            for _ in range(2):
                it.intake.put_or_drop(heavy)
            assert it.intake.counters.dropped_total() == len(heavy), "what UDP brought has its own limit"

    run(work)


def test_silent_clients_harm_nobody_and_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "MOST_OF_ONE_PEER", 50)

    async def work() -> None:
        async with bench(tmp_path) as it:
            silent = [await connect(it.tcp.port) for _ in range(120)]
            await eventually(lambda: len(it.tcp.open) == 50)
            silent[0].send(b"<13>still heard\n")
            assert [r.raw for r in await it.until(1)] == [b"<13>still heard"]
            for sock in silent:
                sock.close()
            await eventually(lambda: not it.tcp.open)
            with await connect(it.tcp.port) as sock:
                sock.send(b"<13>room again\n")
                await it.until(2)
            assert it.intake.counters._refused["connections-of-one-peer"].total == 70
            await eventually(lambda: not it.tcp.by_peer)

    run(work)


def test_senders_beyond_the_limit_wait_and_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "MOST_CONNECTIONS", 20)

    async def work() -> None:
        async with bench(tmp_path) as it:
            silent = [await connect(it.tcp.port) for _ in range(20)]
            await eventually(lambda: len(it.tcp.open) == 20)
            late = [await connect(it.tcp.port) for _ in range(5)]
            for number, sock in enumerate(late):
                sock.send(b"<13>late %d\n" % number)
            await asyncio.sleep(0.2)
            assert len(it.tcp.open) == 20 and not it.records()
            for sock in silent[:3]:  # room for three
                sock.close()
            assert sorted(r.raw for r in await it.until(3)) == [b"<13>late %d" % n for n in range(3)]
            for sock in (*silent[3:], *late):  # also those that gave up waiting have said what they said
                sock.close()
            assert sorted(r.raw for r in await it.until(5)) == [b"<13>late %d" % n for n in range(5)]
            await eventually(lambda: not it.tcp.open and not it.tcp.by_peer)
            assert not it.intake.counters._refused

    run(work)


def test_the_limit_of_connections_leaves_files_for_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    for soft, most in ((1024, 724), (64, 1), (1 << 20, tcp.MOST_CONNECTIONS), (-1, tcp.MOST_CONNECTIONS)):
        monkeypatch.setattr(tcp.resource, "getrlimit", lambda _, soft=soft: (soft, -1))
        assert tcp.most_connections() == most


def test_no_file_left_for_a_connection_only_makes_it_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tcp, "RETRY_S", 0.05)

    async def work() -> None:
        async with bench(tmp_path) as it:
            before = resource.getrlimit(resource.RLIMIT_NOFILE)
            with await connect(it.tcp.port) as first:
                await eventually(lambda: len(it.tcp.open) == 1)
                sender = socket.socket()  # made while there still is one for it
                used = max(int(file.name) for file in Path("/proc/self/fd").iterdir())
                resource.setrlimit(resource.RLIMIT_NOFILE, (used, before[1]))
                try:
                    spare = []
                    with pytest.raises(OSError, match="Too many open files"):
                        while True:
                            spare.append(os.dup(0))
                    sender.connect(("127.0.0.1", it.tcp.port))
                    sender.send(b"<13>waits\n")
                    await asyncio.sleep(0.2)
                    assert len(it.tcp.open) == 1
                finally:
                    resource.setrlimit(resource.RLIMIT_NOFILE, before)
                    for file in spare:
                        os.close(file)
                assert [r.raw for r in await it.until(1)] == [b"<13>waits"]
                first.send(b"<13>still there\n")
                await it.until(2)
                sender.close()

    run(work)
