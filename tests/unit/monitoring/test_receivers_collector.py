"""The collector as a whole, on loopback ports of the kernel's choice."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import uvloop

from monitoring import collector
from monitoring.collector import Collector, CollectorSettings
from monitoring.receivers import Listen, Ports
from monitoring.spool import Received, Spool, SpoolReader, spools
from tests.unit.monitoring.lab import ROOT, province

LOCAL = (Listen(address="127.0.0.1", port=0),)
SETTINGS = CollectorSettings(syslog_udp=LOCAL, syslog_tcp=LOCAL, traps=LOCAL, poll_period_s=0, with_store=False)


def collecting(data: Path, work: Callable[[Collector], None]) -> None:
    """Run a collector and `work` beside it; then tell it to stop."""

    async def run() -> None:
        made, stop = Collector(SETTINGS, province(), data), asyncio.Event()
        task = asyncio.create_task(made.run(stop))
        while len(made.ports) < 3 and not task.done():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        try:
            await asyncio.to_thread(work, made)
        finally:
            stop.set()
            await task

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def send(made: Collector) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"<13>by udp", ("127.0.0.1", made.ports["syslog-udp"][0]))
    with socket.create_connection(("127.0.0.1", made.ports["syslog-tcp"][0])) as stream:
        stream.sendall(b"<13>by tcp\n")


def test_it_receives_on_all_its_ports_and_stops_with_everything_at_rest(tmp_path: Path) -> None:
    collecting(tmp_path, send)
    records, _ = SpoolReader(spools(tmp_path)[0]).read(0)
    assert sorted((r.receiver, r.raw) for r in records) == [
        ("syslog-tcp", b"<13>by tcp"),
        ("syslog-udp", b"<13>by udp"),
    ]
    saved = json.loads((tmp_path / "stats/collect.json").read_text())
    assert saved["spools"]["collector"]["received"] == {"syslog-tcp 127.0.0.1": 1, "syslog-udp 127.0.0.1": 1}
    assert saved["trouble"] is None


class BrokenSpool(Spool):
    def append(self, batch: list[Received]) -> int:  # type: ignore[override]
        raise RuntimeError("a defect")


def test_a_defect_ends_it_loudly_instead_of_receiving_into_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "Spool", BrokenSpool)

    async def run() -> None:
        made, stop = Collector(SETTINGS, province(), tmp_path), asyncio.Event()
        task = asyncio.create_task(made.run(stop))
        while len(made.ports) < 3:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        await asyncio.to_thread(send, made)
        with pytest.raises(RuntimeError, match="a defect"):
            await asyncio.wait_for(task, 60)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


def test_sockets_of_one_port_are_bound_once_and_a_foreign_one_is_noticed() -> None:
    ports = Ports()
    anywhere = Listen(address="127.0.0.1", port=0)
    ports.hold_udp(anywhere, processes=3, receive_buffer=1 << 16)
    taken = [ports.take("udp", anywhere, number) for number in (1, 2, 3)]
    assert len({sock.getsockname() for sock in taken if sock is not None}) == 1
    assert ports.take("udp", anywhere, 4) is None
    there = Listen(address="127.0.0.1", port=taken[0].getsockname()[1] if taken[0] else 0)
    with pytest.raises(Exception, match="already in use"):
        Ports().hold_udp(there, processes=2, receive_buffer=1 << 16)
    ports.close()
    for sock in taken:
        assert sock is not None
        sock.close()


def test_what_it_keeps_is_nobody_elses_to_read(tmp_path: Path) -> None:
    """By hand it is started under any umask; the unit's own is stricter still."""
    ports = [word for name in ("--syslog-udp", "--syslog-tcp", "--traps") for word in (name, "127.0.0.1:0")]
    command = [sys.executable, "-m", "canh", "--data", str(tmp_path / "data"), "collect", "--plain-only", *ports]
    process = subprocess.Popen([*command, "--poll-period", "0"], cwd=ROOT, stderr=subprocess.DEVNULL, umask=0)
    made = ("spool/collector/committed", "stats/collect.json", "stats/store.json", "store/lock")
    try:
        until = time.monotonic() + 30
        while not all((tmp_path / "data" / name).exists() for name in made):
            assert time.monotonic() < until and process.poll() is None
            time.sleep(0.05)
    finally:
        process.terminate()
        process.wait(60)
    open_to_others = [p for p in (tmp_path / "data").rglob("*") if p.stat().st_mode & 0o027]
    assert not open_to_others
