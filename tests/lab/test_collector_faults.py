"""`canh collect` as a process: killed, without space, without rights; what it acknowledged is there, once.

Everything stays on loopback and in file systems mounted for the test; the lab's machines are not needed.
"""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitoring.snmp import ber
from monitoring.spool import SpoolReader, spools
from monitoring.store import Store

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("CANH_KILLS", "6"))  # the bench `faults` does 100


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Collecting:
    """A collector on ports of its own; may be killed and started again."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data, self.options = data, options
        self.tcp, self.relp, self.udp, self.traps = (
            free_port(k) for k in (socket.SOCK_STREAM, socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_DGRAM)
        )
        self.log = data.parent / f"{data.name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "canh", "--data", str(self.data), *arguments]

    def start(self) -> None:
        already = self.log.stat().st_size if self.log.exists() else 0
        listen = ["--plain-only", "--syslog-udp", f"127.0.0.1:{self.udp}", "--syslog-tcp", f"127.0.0.1:{self.tcp}"]
        listen += ["--traps", f"127.0.0.1:{self.traps}", "--relp-tcp", f"127.0.0.1:{self.relp}"]
        listen += ["--poll-period", "0", *self.options]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command("collect", *listen), cwd=ROOT, stderr=log)
        eventually(lambda: b"syslog-tcp on" in self.log.read_bytes()[already:])

    def kill(self) -> None:
        """Every process that receives, at once, as when the machine's memory is full."""
        assert self.process is not None
        receivers = self.children(storing=False)
        for pid in (self.process.pid, *receivers):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        eventually(lambda: not any(Path(f"/proc/{pid}/fd").exists() for pid in receivers))

    def kill_something(self, chance: random.Random) -> bool:
        """All that receives, a receiver alone, the store's worker, or both of these; whether others go on without."""
        victims = chance.choice([[], [False], [True], [False, True]])  # whether it is what stores
        if not victims:
            self.kill()
        for pid in (pid for storing in victims for pid in self.children(storing=storing)[-1:]):
            os.kill(pid, signal.SIGKILL)
        return bool(victims)

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def children(self, *, storing: bool) -> list[int]:
        """The store's worker, or the receiving processes."""
        assert self.process is not None
        found = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [int(c) for c in found if (b"monitoring.storing" in Path(f"/proc/{c}/cmdline").read_bytes()) == storing]

    def worker(self) -> int | None:
        return next(iter(self.children(storing=True)), None)

    def stats(self) -> dict[str, Any]:
        done = subprocess.run(self.command("--json", "stats"), cwd=ROOT, capture_output=True, check=False)
        document = json.loads(done.stdout)
        assert isinstance(document, dict)
        assert done.returncode == (0 if document["balances"] else 1)
        return document

    def spooled(self) -> list[tuple[str, bytes]]:
        """Of every receiving process."""
        records: list[tuple[str, bytes]] = []
        for directory in spools(self.data):
            reader, position = SpoolReader(directory), 0
            while found := reader.read(position, 10_000)[0]:
                records += [(str(r.event_id), r.raw) for r in found if r.receiver != "canh"]
                position = found[-1].next_position
        return records

    def stored(self) -> list[tuple[str, str]]:
        now = datetime.now(UTC)
        found = Store(self.data).search("", now - timedelta(hours=1), now + timedelta(hours=1), limit=10_000_000)
        return [(e.id, e.original) for e in found if e.text("canh.receiver") != "canh"]


def eventually(is_so: Callable[[], bool], within_s: float = 30.0) -> None:
    until = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def collecting(tmp_path: Path) -> Iterator[Collecting]:
    data = tmp_path / "data"
    data.mkdir()
    account = {"user": "canh", "auth_password": "authentic-9", "priv_password": "secretive-9", "communities": ["kin"]}
    (data / "secrets.json").write_text(json.dumps({"snmp": account}))
    made = Collecting(data)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()


def send_datagrams(port: int, stop: threading.Event) -> None:
    """Numbered datagrams, each sent once; whether they arrive is not promised."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        first = 0
        while not stop.is_set():
            for n in range(first, first + 20):
                sock.sendto(b"<13>1 - h app - - - datagram %d" % n, ("127.0.0.1", port))
            first += 20
            time.sleep(0.01)


def send_lines(port: int, stop: threading.Event) -> None:
    """Numbered lines, each sent once, over connections that are opened again when they break."""
    n = 0
    while not stop.is_set():
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=2) as stream:
                while not stop.is_set():
                    stream.sendall(b"".join(b"<13>1 - h app - - - line %d\n" % (n + i) for i in range(20)))
                    n += 20
                    time.sleep(0.01)
        except OSError:
            n += 20  # whether those arrived is not known: never send them again
            time.sleep(0.05)


def send_informs(port: int, stop: threading.Event, answered: list[int]) -> None:
    """Numbered informs, each repeated until it is answered."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        sock.settimeout(0.3)
        n = 0
        while not stop.is_set():
            try:
                sock.send(inform(n))
                answer = sock.recv(65536)
            except OSError:  # nobody there, or no answer yet
                time.sleep(0.05)
                continue
            if answer != inform(n)[: len(answer)].replace(b"\xa6", b"\xa2", 1):
                continue  # the answer to an earlier attempt
            answered.append(n)
            n += 1


def send_windows(port: int, stop: threading.Event, answered: list[int]) -> None:
    """Numbered messages over RELP, up to 50 on their way; what is not answered comes again over the next connection."""
    waiting: list[int] = []
    n = 0
    while not stop.is_set():
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=2) as stream, stream.makefile("rb") as answers:
                stream.sendall(b"1 open 30 relp_version=0\ncommands=syslog\n")
                while answers.readline() not in (b"commands=syslog\n", b""):
                    pass
                stream.sendall(b"".join(relp_frame(number, m) for number, m in enumerate(waiting, 2)))
                last = len(waiting) + 1
                while not stop.is_set():
                    while len(waiting) < 50:
                        last += 1
                        stream.sendall(relp_frame(last, n))
                        waiting.append(n)
                        n += 1
                    if not answers.readline().endswith(b" rsp 6 200 OK\n"):
                        break
                    answered.append(waiting.pop(0))
        except OSError:
            time.sleep(0.05)


def relp_frame(number: int, n: int) -> bytes:
    text = b"<13>1 - h app - - - window %d" % n
    return b"%d syslog %d %b\n" % (number, len(text), text)


def inform(n: int) -> bytes:
    """An SNMPv2c InformRequest that carries a number."""
    binding = ber.tlv(ber.SEQUENCE, ber.oid_of("1.3.6.1.6.3.1.1.4.1.0") + ber.oid_of(f"1.3.6.1.4.1.99999.{n}"))
    pdu = ber.tlv(0xA6, ber.integer_of(n) + ber.integer_of(0) * 2 + ber.tlv(ber.SEQUENCE, binding))
    return ber.tlv(ber.SEQUENCE, ber.integer_of(1) + ber.tlv(ber.OCTETS, b"kin") + pdu)


@pytest.mark.timeout(120 + 20 * KILLS)
@pytest.mark.parametrize("receivers", [1, 2])
def test_killed_again_and_again_under_load_nothing_acknowledged_is_missing_or_doubled(
    collecting: Collecting, receivers: int
) -> None:
    collecting.options = ("--receivers", str(receivers))
    chance = random.Random(4711)
    stop, answered, confirmed = threading.Event(), list[int](), list[int]()
    collecting.start()
    senders = [
        threading.Thread(target=send_lines, args=(collecting.tcp, stop)),
        threading.Thread(target=send_datagrams, args=(collecting.udp, stop)),
        threading.Thread(target=send_informs, args=(collecting.traps, stop, answered)),
        threading.Thread(target=send_windows, args=(collecting.relp, stop, confirmed)),
    ]
    for sender in senders:
        sender.start()
    fsynced: set[str] = set()
    try:
        for round_ in range(KILLS):
            time.sleep(0.5 + chance.random() * 2)
            if round_ == 3:
                fsynced = {event_id for event_id, _ in collecting.spooled()}
            if collecting.kill_something(chance):
                continue
            assert collecting.stats()["balances"], "while nothing runs"
            collecting.start()
        time.sleep(1)
    finally:
        stop.set()
        for sender in senders:
            sender.join()
    eventually(lambda: collecting.stats()["in_flight"] == 0, within_s=60)
    assert collecting.stop() == 0
    spooled, stored = collecting.spooled(), collecting.stored()
    assert fsynced <= {event_id for event_id, _ in spooled}
    assert len(stored) == len({event_id for event_id, _ in stored}), "nothing is stored twice"
    assert {event_id for event_id, _ in stored} == {event_id for event_id, _ in spooled}
    lines = [raw for _, raw in spooled if raw.startswith(b"<13>") and b" line " in raw]
    assert len(lines) > 1000
    assert len(set(lines)) == len(lines), "no line is spooled twice"
    datagrams = [raw for _, raw in spooled if b" datagram " in raw]
    assert len(set(datagrams)) == len(datagrams) > 1000
    oids = [json.loads(raw)["oid"] for _, raw in spooled if raw.startswith(b"{")]
    assert len(answered) > 20
    assert {f"1.3.6.1.4.1.99999.{n}" for n in answered} <= set(oids), "an answered inform is kept"
    assert len(set(oids)) == len(oids), "and kept once"
    windows = [int(raw.rpartition(b" ")[2]) for _, raw in spooled if b" window " in raw]
    assert len(confirmed) > 1000
    assert set(confirmed) <= set(windows), "what was answered over RELP is kept"
    if receivers == 1:  # with several a sender may come back to one that still runs and does not know it
        assert windows == sorted(set(windows)), "and kept once, in order"
    balance = collecting.stats()
    assert balance["balances"]
    assert balance["missing"] == balance["dead"] == 0
    assert set(balance["reasons"]["dropped"]) <= {"process-killed", "kernel-buffer-full"}
    assert sum(n["stored"] for source, n in balance["sources"].items() if not source.startswith("canh ")) == len(stored)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "canh-test", str(place)], check=True)
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_makes_tcp_wait_drops_and_counts_udp_and_recovers(small_disk: Path) -> None:
    collecting = Collecting(small_disk / "data")
    collecting.log = small_disk.parent / "collect.log"
    collecting.start()
    ballast = small_disk / "ballast"
    try:
        with socket.create_connection(("127.0.0.1", collecting.tcp)) as stream:
            stream.sendall(b"<13>before\n")
            eventually(lambda: len(collecting.spooled()) == 1)
            _fill(ballast)
            stream.sendall(b"".join(b"<13>waits %d %s\n" % (n, b"x" * 2000) for n in range(200)))
            eventually(lambda: b"no space left for the spool" in collecting.log.read_bytes())
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                for _ in range(10):
                    sock.sendto(b"<13>dropped " + b"y" * 5000, ("127.0.0.1", collecting.udp))
            time.sleep(1)
            ballast.unlink()
            eventually(lambda: len(collecting.spooled()) >= 201)
            stream.sendall(b"<13>after\n")
            eventually(lambda: collecting.spooled()[-1][1] == b"<13>after")
        eventually(lambda: collecting.stats()["in_flight"] == 0)
        assert collecting.stop() == 0
    finally:
        if collecting.process is not None and collecting.process.poll() is None:
            collecting.kill()
    raws = [raw for _, raw in collecting.spooled()]
    assert [raw.split()[1] for raw in raws if raw.startswith(b"<13>waits")] == [b"%d" % n for n in range(200)]
    assert sorted(collecting.stored()) == sorted((event_id, raw.decode()) for event_id, raw in collecting.spooled())
    balance = collecting.stats()
    kept = sum(raw.startswith(b"<13>dropped") for raw in raws)
    assert balance["balances"]
    assert balance["dropped"] + kept == 10
    assert balance["dropped"] > 0
    assert balance["reasons"]["dropped"] == {"spool-full": {"syslog-udp 127.0.0.1": balance["dropped"]}}
    assert balance["trouble"] == ""
    assert b"the spool takes messages again" in collecting.log.read_bytes()


def _fill(path: Path) -> None:
    """Take every last octet of the file system."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(b"\0" * size)
            except OSError:
                continue


def test_a_data_directory_that_turns_read_only_is_told_and_survived(small_disk: Path) -> None:
    collecting = Collecting(small_disk / "data", "--no-store")
    collecting.log = small_disk.parent / "collect.log"
    collecting.start()
    try:
        with socket.create_connection(("127.0.0.1", collecting.tcp)) as stream:
            collecting.kill()
            _remount(small_disk, "ro")
            listen = [
                "collect",
                "--plain-only",
                "--syslog-udp",
                "off",
                "--traps",
                "off",
                "--no-store",
                "--poll-period",
                "0",
            ]
            command = collecting.command(*listen, "--syslog-tcp", f"127.0.0.1:{collecting.tcp}")
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            stream.close()
        assert done.returncode == 2
        assert "the spool cannot be written: Read-only file system" in done.stderr
        assert "fix: make the directory writable" in done.stderr
        _remount(small_disk, "rw")
        collecting.start()
        assert collecting.stop() == 0
    finally:
        _remount(small_disk, "rw")
        if collecting.process is not None and collecting.process.poll() is None:
            collecting.kill()


def _remount(place: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(place)], check=True)


def test_a_port_in_use_ends_it_with_who_has_it(collecting: Collecting) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", collecting.tcp))
        taken.listen()
        listen = [
            "--plain-only",
            "--syslog-udp",
            "off",
            "--traps",
            "off",
            "--syslog-tcp",
            f"127.0.0.1:{collecting.tcp}",
        ]
        command = collecting.command("collect", *listen)
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert f"tcp port {collecting.tcp} is already in use by" in done.stderr
    assert f"(process {os.getpid()})" in done.stderr
    assert "Traceback" not in done.stderr


def test_idle_it_is_small(collecting: Collecting) -> None:
    collecting.start()
    eventually(lambda: collecting.worker() is not None)
    assert collecting.process is not None
    status = Path(f"/proc/{collecting.process.pid}/status").read_text()
    resident_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    assert resident_kb < 120_000
    assert collecting.stop() == 0


def test_five_thousand_silent_clients_and_an_endless_line_harm_nobody(collecting: Collecting) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000), hard))
    collecting.options = ("--no-store",)
    collecting.start()
    (receiver,) = collecting.children(storing=False)
    silent, stop = list[socket.socket](), threading.Event()
    endless = threading.Thread(target=_send_endlessly, args=(collecting.tcp, stop))
    try:
        for n in range(5000):  # of 25 addresses: more of one peer are turned away, which is another test
            source = (f"127.0.1.{1 + n // 200}", 0)
            silent.append(socket.create_connection(("127.0.0.1", collecting.tcp), source_address=source, timeout=10))
        endless.start()
        began = time.monotonic()
        with socket.create_connection(("127.0.0.1", collecting.tcp), timeout=5) as stream:
            for n in range(200):
                stream.sendall(b"".join(b"<13>of use %d %d\n" % (n, i) for i in range(50)))
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                    sock.sendto(b"<13>datagram %d" % n, ("127.0.0.1", collecting.udp))
        eventually(lambda: sum(b"of use" in raw for _, raw in collecting.spooled()) == 10_000, within_s=10)
        took = time.monotonic() - began
        eventually(lambda: sum(b"datagram" in raw for _, raw in collecting.spooled()) == 200, within_s=10)
        silent[4999].sendall(b"<13>not silent at last\n")
        eventually(lambda: any(b"at last" in raw for _, raw in collecting.spooled()), within_s=5)
        status = Path(f"/proc/{receiver}/status").read_text()
    finally:
        stop.set()
        for sock in silent:
            sock.close()
        endless.join()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert took < 10
    resident_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    assert resident_kb < 250_000, "5,000 connections and a line of hundreds of megabytes"
    eventually(lambda: collecting.stats()["reasons"]["cut"] == {"syslog-tcp 127.0.0.1": 1})
    assert collecting.stop() == 0
    assert collecting.stats()["balances"]


def _send_endlessly(port: int, stop: threading.Event) -> None:
    """One line, as fast as it is taken."""
    with socket.create_connection(("127.0.0.1", port)) as stream:
        stream.sendall(b"<13>endless ")
        while not stop.is_set():
            stream.sendall(b"x" * 65536)
        stream.sendall(b"\n")
