"""One receiving process or two: what is lost, when everything is stored, what receiving costs in time and memory.

    python -m tests.bench.bench_receivers [messages/s] [seconds]     default 20000 10

A steady stream from eight senders over UDP, then over TCP, with parsing and storing beside it, on one receiving
process and on two, each twice and in turn, so that what else the machine does falls on both alike.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.bench_load import BACKLOG_S, LINES, SENDER, Canh, cpu_s


class One(Canh):
    options = ("--receivers", "1")


class Two(Canh):
    options = ("--receivers", "2")


def main(arguments: list[str]) -> int:
    rate, seconds = (int(arguments[0]), float(arguments[1])) if len(arguments) > 1 else (20_000, 10.0)
    folder = Path(tempfile.mkdtemp(prefix="canh-bench-", dir=os.environ.get("TMPDIR")))
    print(f"{rate} messages/s for {seconds:.0f} s, twice; load average before: {os.getloadavg()[0]:.1f}")
    head = ("sent", "lost", "receive CPU s", "receive MB", "all CPU s", "late s")
    print(f"{'':<24}" + "".join(f"{name:>15}" for name in head), flush=True)
    try:
        for kind in ("udp", "tcp"):
            for turn in (1, 2):
                for start in (One, Two):
                    name = f"{start.__name__.lower()}, {kind}, {turn}"
                    _row(name, start(kind, folder / name.replace(", ", "-")), kind, rate, seconds)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _row(name: str, running: Canh, kind: str, rate: int, seconds: float) -> None:
    before = running.spent_s()
    command = [sys.executable, "-c", SENDER, kind, str(running.port), str(rate), str(seconds)]
    done = subprocess.run(command, input=b"\n".join(LINES), capture_output=True, check=True)
    ended, sent = time.monotonic(), int(done.stdout.split()[0])
    time.sleep(1)
    receivers = _receivers(running.process.pid)
    receiving, memory = sum(map(cpu_s, receivers)), sum(map(_pss_mb, receivers))
    while not running.is_done() and time.monotonic() - ended < BACKLOG_S:
        time.sleep(0.2)
    late, cpu = time.monotonic() - ended, running.spent_s() - before
    lost = sent - running.kept()
    running.stop()
    figures = (sent, lost, receiving, memory, cpu, late)
    print(f"{name:<24}" + "{:>15}{:>15}{:>15.2f}{:>15.1f}{:>15.1f}{:>15.1f}".format(*figures), flush=True)


def _receivers(pid: int) -> list[int]:
    """The children that receive: all but the store's worker, which is another program."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(c) for c in children if b"monitoring.storing" not in Path(f"/proc/{c}/cmdline").read_bytes()]


def _pss_mb(pid: int) -> float:
    """Its share of memory, in MB: what several processes share is counted once."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
