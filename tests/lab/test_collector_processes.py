"""A collector as processes: one that dies is replaced alone, senders notice nothing, every message is accounted for."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from monitoring.spool import SpoolReader, spools
from monitoring.stats import Balance, balance_of
from tests.unit.monitoring.lab import ROOT
from tests.unit.monitoring.test_usage import messages_of


def eventually(is_so: Callable[[], bool], within_s: float = 20.0) -> None:
    until = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


class Collecting:
    """`canh collect` on a port of the kernel's choice, without a store."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data = data
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            self.port = sock.getsockname()[1]
        here = f"127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "canh", "--data", str(data), "collect", "--no-store", "--poll-period", "0"]
        command += ["--plain-only", "--traps", "off", "--syslog-udp", here, "--syslog-tcp", here, *options]
        self.log = data.parent / "collect.log"
        already = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=ROOT, stderr=log)
        self.wanted = int(options[options.index("--receivers") + 1]) if "--receivers" in options else 1
        eventually(lambda: self.log.read_bytes()[already:].count(b"syslog-tcp on") >= self.wanted)

    def receivers(self) -> list[int]:
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def spooled(self) -> list[bytes]:
        return [raw for directory in spools(self.data) for raw in messages_of(directory)]

    def saved(self) -> dict[str, Any]:
        return {p.name: json.loads(p.read_text()) for p in (self.data / "stats").glob("collect*.json")}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Collecting]]:
    made: list[Collecting] = []

    def begin(*options: str) -> Collecting:
        made.append(Collecting(tmp_path / "data", *options))
        return made[-1]

    yield begin
    for each in made:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()


def send(port: int, first: int, count: int) -> None:
    """Datagrams, each from a port of its own, so that they spread over the receivers."""
    for n in range(first, first + count):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"<13>message %d" % n, ("127.0.0.1", port))


def received(balance: Balance) -> int:
    """Of what was sent to it: the platform's word on dropped messages is received too."""
    return sum(row.received for row in balance.sources if not row.source.startswith("canh "))


def test_receivers_share_a_port_and_a_killed_one_is_replaced_alone_with_what_waits(
    start: Callable[..., Collecting],
) -> None:
    it = start("--receivers", "3")
    before = it.receivers()
    assert len(before) == 3
    send(it.port, 0, 60)
    eventually(lambda: len(it.spooled()) == 60)
    assert len({s for s in spools(it.data) if SpoolReader(s).end}) == 3, "every spool got some"
    os.kill(before[1], signal.SIGSTOP)  # it takes nothing more, so what comes now waits in its socket
    send(it.port, 60, 60)
    time.sleep(0.2)
    os.kill(before[1], signal.SIGKILL)
    eventually(lambda: len(it.spooled()) == 120)
    assert sorted(it.spooled()) == sorted(b"<13>message %d" % n for n in range(120))
    after = it.receivers()
    assert set(before) - set(after) == {before[1]}
    assert len(after) == 3
    assert it.stop() == 0
    assert balance_of(it.data).balances
    assert received(balance_of(it.data)) == 120
    assert set(it.saved()) == {"collect.json", "collect-2.json", "collect-3.json"}


def test_tcp_goes_on_with_the_other_receivers_while_one_is_down(start: Callable[..., Collecting]) -> None:
    it = start("--receivers", "2")
    os.kill(it.receivers()[0], signal.SIGKILL)
    for n in range(20):
        with socket.create_connection(("127.0.0.1", it.port), timeout=10) as stream:
            stream.sendall(b"<13>message %d\n" % n)
    eventually(lambda: len(it.spooled()) == 20)
    assert it.stop() == 0


def test_what_a_kill_lost_is_counted_to_the_last_message_but_one(start: Callable[..., Collecting]) -> None:
    it = start()
    (receiver,) = it.receivers()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", it.port))
        for n in range(30_000):
            sock.send(b"<13>message %d" % n)
            if n == 15_000:
                os.kill(receiver, signal.SIGKILL)
            if n % 50 == 0:
                time.sleep(0.001)
    eventually(lambda: received(balance_of(it.data)) >= 30_000 - 1)  # one was being handed over
    assert it.stop() == 0
    balance = balance_of(it.data)
    assert balance.balances
    assert balance.total("in_flight") == len(it.spooled()) == balance.total("received") - balance.total("dropped")
    assert set(balance.dropped) <= {"process-killed", "kernel-buffer-full"}
    assert received(balance) in (30_000, 30_000 - 1)
    assert balance.total("dropped") < 15_000, "no more than was under way"


def test_the_same_socket_does_not_count_its_kernel_drops_again(start: Callable[..., Collecting]) -> None:
    it = start()
    (receiver,) = it.receivers()
    os.kill(receiver, signal.SIGSTOP)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", it.port))
        for _ in range(2500):
            sock.send(b"x" * 60_000)
    os.kill(receiver, signal.SIGCONT)
    eventually(lambda: received(balance_of(it.data)) == 2500)
    dropped = balance_of(it.data).dropped["kernel-buffer-full"]
    os.kill(it.receivers()[0], signal.SIGKILL)
    time.sleep(2.5)
    assert it.stop() == 0
    balance = balance_of(it.data)
    assert balance.dropped["kernel-buffer-full"] == dropped
    assert received(balance) == 2500


def test_a_killed_parent_takes_its_receivers_with_it_and_a_new_one_follows_at_once(
    start: Callable[..., Collecting],
) -> None:
    first = start("--receivers", "2")
    send(first.port, 0, 10)
    eventually(lambda: len(first.spooled()) == 10)
    receivers = first.receivers()
    first.process.kill()
    first.process.wait()
    second = start("--receivers", "2")
    eventually(lambda: not any(Path(f"/proc/{pid}/fd").exists() for pid in receivers))
    send(second.port, 10, 10)
    eventually(lambda: len(second.spooled()) == 20)
    assert second.stop() == 0


def test_a_second_collector_on_the_same_data_is_refused(start: Callable[..., Collecting], tmp_path: Path) -> None:
    it = start()
    command = [sys.executable, "-c", "import monitoring.collecting as c; c.PREDECESSORS_END_WITHIN_S = 0.2\n"]
    command[-1] += "import canh.cli, sys; sys.exit(canh.cli.main(sys.argv[1:]))"
    command += ["--data", str(it.data), "collect", "--syslog-udp", "127.0.0.1:0", "--syslog-tcp", "off"]
    command += ["--plain-only", "--traps", "off"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 2
    assert f"another collector (process {it.process.pid}) writes this spool" in done.stderr


def test_fewer_receivers_than_before_leave_no_message_and_no_read_segment(start: Callable[..., Collecting]) -> None:
    first = start("--receivers", "2")
    send(first.port, 0, 40)
    eventually(lambda: len(first.spooled()) == 40)
    assert first.stop() == 0
    second = start("--receivers", "1")
    assert len(second.spooled()) == 40, "what nobody read stays"
    assert received(balance_of(second.data)) == 40
    assert second.stop() == 0
