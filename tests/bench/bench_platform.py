"""The whole of `canh run` on loopback: memory idle and under load, receipt to alert, receipt to search.

A sender keeps RATE benign lab lines a second coming over TCP; among them every PROBE_S a refused login with a
default account from an address not seen before, which is an alert of its own. Delay of an alert is
`raised_at` - `received_at` as the case store has it; delay of a search is until a marked line is found.
Memory is proportional set size over the process tree (/proc/PID/smaps_rollup).
"""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitoring.store import Store
from soc.cases import CaseStore

ROOT = Path(__file__).resolve().parents[2]
RATE, LOAD_S, PROBE_S, IDLE_S = 2_000, 30, 0.25, 15
TICK_S = 0.02


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="canh-bench-") as folder:
        data, port = Path(folder), _free_port()
        running = _start(data, port)
        try:
            connection = _connected(port)
            time.sleep(IDLE_S)
            idle = _pss(running.pid)
            sender = threading.Thread(target=_send, args=(connection, LOAD_S))
            before, began = _cpu(running.pid), time.monotonic()
            sender.start()
            time.sleep(LOAD_S * 0.5)
            search = _to_search(data, port)
            sender.join()
            loaded, spent, took = _pss(running.pid), _cpu(running.pid), time.monotonic() - began
            time.sleep(3)
            delays = _alert_delays(data)
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(40)
    _print(idle, loaded, spent, before, took, delays, search)
    return 0


def _print(
    idle: dict[str, float],
    loaded: dict[str, float],
    spent: dict[str, float],
    before: dict[str, float],
    took: float,
    delays: list[float],
    search: float,
) -> None:
    print(f"{'process':<12}{'idle MiB':>10}{f'at {RATE}/s MiB':>16}{'CPU %':>8}")
    for name in idle:
        used = 100 * (spent.get(name, 0) - before.get(name, 0)) / took
        print(f"{name:<12}{idle[name]:>10.0f}{loaded.get(name, 0):>16.0f}{used:>8.0f}")
    print(f"{'all':<12}{sum(idle.values()):>10.0f}{sum(loaded.values()):>16.0f}")
    delays.sort()
    p99 = delays[min(len(delays) - 1, int(len(delays) * 0.99))]
    print(f"receipt to alert, {len(delays)} alerts at {RATE}/s: p50 {statistics.median(delays):.3f} s, p99 {p99:.3f} s")
    print(f"receipt to searchable at {RATE}/s: {search:.1f} s")


def _start(data: Path, port: int) -> subprocess.Popen[bytes]:
    listen = f"127.0.0.1:{port}"
    options = ["--plain-only", "--syslog-tcp", listen, "--syslog-udp", "off", "--traps", "off", "--poll-period", "0"]
    command = [
        sys.executable,
        "-m",
        "canh",
        "--data",
        str(data),
        "run",
        *options,
        "--listen",
        f"127.0.0.1:{_free_port()}",
    ]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _send(connection: socket.socket, seconds: float) -> None:
    end, sent, number = time.monotonic() + seconds, 0, 0
    began = probe_at = time.monotonic()
    while (now := time.monotonic()) < end:
        due = int((now - began) * RATE) - sent
        lines = [_benign(sent + n) for n in range(due)]
        sent += due
        if now >= probe_at:
            lines.append(_refused_login(number))
            number, probe_at = number + 1, probe_at + PROBE_S
        connection.sendall(b"".join(lines))
        time.sleep(TICK_S)


def _benign(number: int) -> bytes:
    return _framed(
        f"dc-fw1 ulogd 41 - - canh:allow:forward IN=eth1 OUT=eth3 MAC= SRC=10.250.65.10 DST=10.250.64.10 "
        f"LEN=60 TOS=00 PREC=0x00 TTL=62 ID={number % 65536} PROTO=TCP SPT={1024 + number % 60000} DPT=443 SYN"
    )


def _refused_login(number: int) -> bytes:
    return _framed(f"dc-app1 sshd 187 - - Invalid user admin from 10.249.{number // 250}.{number % 250 + 1} port 40000")


def _framed(rest: str) -> bytes:
    line = f"<38>1 {datetime.now(UTC).isoformat()} {rest}".encode()
    return b"%d %s" % (len(line), line)


def _to_search(data: Path, port: int) -> float:
    """Seconds from sending a marked line until `Store.search` finds it."""
    marker, began, store = f"needle{time.time_ns()}", time.monotonic(), Store(data)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(_framed(f"dc-app1 bench 1 - - {marker}"))
        while time.monotonic() - began < 30:
            now = datetime.now(UTC)
            if next(store.search(marker, now - timedelta(minutes=1), now + timedelta(minutes=1), 1), None):
                return time.monotonic() - began
            time.sleep(0.1)
    return float("inf")


def _alert_delays(data: Path) -> list[float]:
    cases = CaseStore(data).list(limit=5000)
    alerts = [c.alert for c in cases if c.alert.title == "Login attempt with a default account"]
    return [(a.raised_at - a.received_at).total_seconds() for a in alerts]


# The process tree

PARTS = (b"collect", b"detect", b"schedule", b"deliver", b"serve")


def _tree(root: int) -> dict[int, str]:
    """Every process of the tree with the part it is: collect (with its workers), detect and the others, run."""
    parts: dict[int, str] = {root: "run"}
    parents = {int(p.name): _stat(p) for p in Path("/proc").iterdir() if p.name.isdigit()}
    grown = True
    while grown:
        grown = False
        for pid, parent in parents.items():
            if pid not in parts and parent in parts:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                own = next((w.decode() for w in words if w in PARTS), "")
                parts[pid] = own or parts[parent]
                grown = True
    return parts


def _stat(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return -1


def _pss(root: int) -> dict[str, float]:
    """MiB by part."""
    sums: dict[str, float] = {}
    for pid, part in _tree(root).items():
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        sums[part] = sums.get(part, 0) + next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024
    return sums


def _cpu(root: int) -> dict[str, float]:
    """CPU seconds by part."""
    hertz, sums = os.sysconf("SC_CLK_TCK"), dict[str, float]()
    for pid, part in _tree(root).items():
        columns = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        sums[part] = sums.get(part, 0) + (int(columns[11]) + int(columns[12])) / hertz
    return sums


def _connected(port: int) -> socket.socket:
    deadline = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
