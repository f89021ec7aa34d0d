"""Receive and spool: messages per CPU-second of the receiving process, beside a plain socket-to-file floor.

The floor is the least a Python program can do (receive, append to a file, fsync once a batch), measured
with the same messages and sender in the same run. CPU is user + system of the receiving process.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from monitoring.spool import SpoolReader, spools
from tests.bench.bench_load import cpu_s, tree

ROOT = Path(__file__).resolve().parents[2]
MESSAGES = 200_000
LINE = (
    b"<134>1 2026-11-22T03:20:00.123456+07:00 dc-fw1 kernel - - - canh:deny:forward IN=eth1 OUT=eth2 SRC=10.250.64.10"
)
BURST = 64

FLOOR = """
import os, socket, sys
kind, path, wanted = sys.argv[1], sys.argv[2], int(sys.argv[3])
file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
if kind == "udp":
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 << 20)
sock.bind(("127.0.0.1", 0))
if kind == "tcp":
    sock.listen()
print(sock.getsockname()[1], flush=True)
if kind == "tcp":
    sock = sock.accept()[0]
sock.settimeout(2)
got = 0
try:
    while got < wanted:
        batch = []
        size = 0
        while size < 64000 and got < wanted:
            data = sock.recv(65536)
            got += 1 if kind == "udp" else data.count(b"\\n")
            size += len(data)
            batch.append(data)
            if not data:
                wanted = 0
        os.write(file, b"".join(batch))
        os.fdatasync(file)
except TimeoutError:
    pass
usage = os.times()
print(got, usage.user + usage.system, flush=True)
"""


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="canh-bench-", dir=os.environ.get("TMPDIR")))
    print(f"{'':<28}{'messages':>10}{'kept':>10}{'msg/CPU-s':>12}{'wall s':>8}")
    try:
        for kind in ("udp", "tcp"):
            _row(f"floor, {kind}", *_floor(kind, folder))
            _row(f"canh collect, {kind}", *_canh(kind, folder / f"data-{kind}"))
    finally:
        shutil.rmtree(folder)
    return 0


def _row(name: str, kept: int, cpu_s: float, wall_s: float) -> None:
    print(f"{name:<28}{MESSAGES:>10}{kept:>10}{kept / cpu_s:>12.0f}{wall_s:>8.1f}", flush=True)


def _floor(kind: str, folder: Path) -> tuple[int, float, float]:
    command = [sys.executable, "-c", FLOOR, kind, str(folder / f"floor-{kind}"), str(MESSAGES)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        started = time.monotonic()
        _send(kind, port)
        kept, cpu = process.stdout.readline().split()
        return int(kept), float(cpu), time.monotonic() - started


def _canh(kind: str, data: Path) -> tuple[int, float, float]:
    off = {"udp": ["--syslog-tcp", "off"], "tcp": ["--syslog-udp", "off"]}[kind]
    port = _free_port(kind)
    command = [sys.executable, "-m", "canh", "--data", str(data), "collect", "--plain-only", "--no-store"]
    command += ["--poll-period", "0", "--receivers", "1", "--traps", "off"]
    command += [f"--syslog-{kind}", f"127.0.0.1:{port}", *off]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        process.stderr.readline()
        before, started = _cpu_of_tree(process.pid), time.monotonic()
        reader = SpoolReader(spools(data)[0])
        _send(kind, port)
        end = reader.end
        while True:
            time.sleep(0.3)
            if reader.end == end:
                break
            end = reader.end
        wall = time.monotonic() - started - 0.3
        cpu = _cpu_of_tree(process.pid) - before
        process.send_signal(signal.SIGTERM)
        process.wait()
    return reader.count(0, reader.end).total, cpu, wall


def _send(kind: str, port: int) -> None:
    """Send all messages; over UDP in bursts with a breath between, so that the receiver is busy but not drowned."""
    if kind == "tcp":
        with socket.create_connection(("127.0.0.1", port)) as stream:
            for start in range(0, MESSAGES, 500):
                stream.sendall(b"".join(b"%s SPT=%d\n" % (LINE, n) for n in range(start, start + 500)))
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(("127.0.0.1", port))
        for n in range(MESSAGES):
            sock.send(b"%s SPT=%d" % (LINE, n))
            if n % BURST == 0:
                time.sleep(0.0005)


def _free_port(kind: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _cpu_of_tree(pid: int) -> float:
    return sum(cpu_s(each) for each in tree(pid))


if __name__ == "__main__":
    sys.exit(main())
