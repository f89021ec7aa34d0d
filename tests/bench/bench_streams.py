"""Receive and spool by the ways in besides plain syslog, in messages a CPU-second of the collector.

    python -m tests.bench streams

One sender each, the line the same; peer is plain syslog over TCP in the same run.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from monitoring.spool import SpoolReader, spools
from pki import Authority, Tokens

ROOT = Path(__file__).resolve().parents[2]
MESSAGES = 200_000
PORTION = 500
WITHIN_S = 60.0
TEXT = b"canh:deny:forward IN=eth1 OUT=eth2 SRC=10.250.65.10 DST=10.250.64.10 LEN=60 PROTO=TCP DPT=445 SPT="
LINE = b"<6>1 2026-11-22T03:20:00.123456+00:00 dc-fw1 ulogd 412 - - " + TEXT
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="canh-bench-", dir=os.environ.get("TMPDIR")))
    print(f"{'':<28}{'messages':>10}{'kept':>10}{'msg/CPU-s':>12}{'wall s':>8}")
    try:
        for way, send in WAYS.items():
            data = folder / way
            Authority(data / "pki").ensure(datetime.now(UTC))
            kept, cpu_s, wall_s = _measured(way, data, send)
            print(f"{way:<28}{MESSAGES:>10}{kept:>10}{kept / cpu_s:>12.0f}{wall_s:>8.1f}", flush=True)
    finally:
        shutil.rmtree(folder)
    return 0


def _measured(way: str, data: Path, send: Callable[[socket.socket, Path], None]) -> tuple[int, float, float]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    command = [sys.executable, "-m", "canh", "--data", str(data), "collect", "--plain-only", "--no-store"]
    command += ["--poll-period", "0", "--receivers", "1", "--traps", "off", "--syslog-udp", "off"]
    command += [] if way == "syslog-tcp" else ["--syslog-tcp", "off"]
    command += [f"--{way}", f"127.0.0.1:{port}"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        process.stderr.readline()
        reader, before, started = SpoolReader(spools(data)[0]), _cpu_s(process.pid), time.monotonic()
        with socket.create_connection(("127.0.0.1", port)) as plain:
            if way.endswith("-tcp"):
                send(plain, data)
            else:
                trusted = ssl.create_default_context(cafile=str(data / "pki/ca.crt"))
                with trusted.wrap_socket(plain, server_hostname="localhost") as secure:
                    send(secure, data)
        kept, until = 0, time.monotonic() + WITHIN_S
        while kept < MESSAGES and time.monotonic() < until:
            time.sleep(0.1)
            kept = reader.count(0, reader.end).by_receiver().get(way, 0)
        wall_s, cpu_s = time.monotonic() - started, _cpu_s(process.pid) - before
        process.send_signal(signal.SIGTERM)
        process.wait()
    return kept, cpu_s, wall_s


def _cpu_s(pid: int) -> float:
    """Of a process and its children that run."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S + sum(_cpu_s(int(child)) for child in children)


def _portions(line: Callable[[int], bytes]) -> Iterator[bytes]:
    for start in range(0, MESSAGES, PORTION):
        yield b"".join(map(line, range(start, start + PORTION)))


def _lines(sock: socket.socket, data: Path) -> None:
    for portion in _portions(lambda n: b"%b%d\n" % (LINE, n)):
        sock.sendall(portion)


def _documents(sock: socket.socket, data: Path) -> None:
    for portion in _portions(lambda n: b'{"host":"dc-fw1","message":"%b%d"}\n' % (TEXT, n)):
        sock.sendall(portion)


def _relp(sock: socket.socket, data: Path) -> None:
    """With a window of a portion: the next is sent when the one before is answered."""
    sock.sendall(b"1 open 15 commands=syslog\n")
    answers = sock.makefile("rb")
    while not answers.readline().startswith(b"commands="):
        pass
    for portion in _portions(lambda n: _frame(n + 2, b"%b%d" % (LINE, n))):
        sock.sendall(portion)
        for _ in range(PORTION):
            answers.readline()


def _frame(number: int, text: bytes) -> bytes:
    return b"%d syslog %d %b\n" % (number, len(text), text)


def _bulk(sock: socket.socket, data: Path) -> None:
    """Requests of a portion each, one after the other on one connection."""
    token = Tokens(data / "pki").add("bench", datetime.now(UTC))
    head = b"POST /_bulk HTTP/1.1\r\nhost: soc\r\nauthorization: Bearer %b\r\ncontent-length: %d\r\n\r\n"
    answers = sock.makefile("rb")
    for body in _portions(lambda n: b'{"create":{"_index":"logs"}}\n{"host":"dc-fw1","message":"%b%d"}\n' % (TEXT, n)):
        sock.sendall(head % (token.encode(), len(body)) + body)
        length = 0
        while (line := answers.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        answers.read(length)


WAYS: dict[str, Callable[[socket.socket, Path], None]] = {
    "syslog-tcp": _lines,
    "syslog-tls": _lines,
    "json-tls": _documents,
    "relp-tcp": _relp,
    "relp-tls": _relp,
    "bulk": _bulk,
}


if __name__ == "__main__":
    raise SystemExit(main())
