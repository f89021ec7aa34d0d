"""Under load: a steady stream for a minute with everything running beside it, and what is lost, waits and costs.

    python -m tests.bench load [messages/s] [seconds]     default 50000 60

Rows: a plain socket-to-file floor, rsyslog writing a file, rsyslog parsing with mmnormalize (when Debian's is
installed), `canh collect` with its store. Same lines, same sender, same machine, one after another. The sender
runs on the same cores. "lost": sent and neither kept nor waiting; "late": how long after the last message
everything was stored. A row's CPU is user + system of all its processes.
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
from collections.abc import Callable
from pathlib import Path

from monitoring.spool import SpoolReader, spools
from monitoring.stats import balance_of

ROOT = Path(__file__).resolve().parents[2]
RSYSLOG = Path("/usr/sbin/rsyslogd")
MODULES = Path("/usr/lib/x86_64-linux-gnu/rsyslog")
BACKLOG_S = 600
# ASA, FortiGate and RFC 5424 in equal parts; {} is a number of five digits
LINES = (
    b"<166>Nov 22 2026 03:20:00 dc-fw1 : %ASA-6-302013: Built outbound TCP connection {} for outside:203.0.113.5/443 "
    b"(203.0.113.5/443) to inside:10.250.64.10/{} (192.0.2.1/{})",
    b'<189>date=2026-11-22 time=03:20:00 devname="dc-fw1" devid="FG100E0000000001" logid="0000000013" type="traffic" '
    b'subtype="forward" level="notice" vd="root" srcip=10.250.64.10 srcport={} srcintf="port1" dstip=203.0.113.5 '
    b'dstport=443 dstintf="port2" proto=6 action="accept" policyid=5 service="HTTPS" duration=12 sentbyte=1200 '
    b"rcvdbyte=900",
    b"<38>1 2026-11-22T03:20:00.123456+07:00 dc-app1 sshd 812 - - Failed password for root from 10.250.65.10 "
    b"port {} ssh2",
)

SENDER = """
import socket, sys, time
kind, port, rate, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
lines = [line for line in sys.stdin.buffer.read().split(b"\\n") if line]
tick, sent, wanted = 0.01, 0, int(rate * seconds)
if kind == "udp":
    socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(8)]
else:
    socks = [socket.socket() for _ in range(8)]
for s in socks:
    s.connect(("127.0.0.1", port))
ready = [lines[n % len(lines)].replace(b"{}", b"%05d" % (10000 + n % 50000)) for n in range(30000)]
if kind == "tcp":
    ready = [b"\\n".join(ready[n:n + 100]) + b"\\n" for n in range(0, 30000, 100)]
began = time.monotonic()
turn = 0
while sent < wanted:
    due = min(wanted, int((time.monotonic() - began + tick) * rate))
    if kind == "udp":
        for n in range(sent, due):
            socks[n & 7].send(ready[n % 30000])
        sent = due
    else:
        while sent + 100 <= due or (sent < due == wanted):
            socks[turn & 7].sendall(ready[turn % 300])
            turn += 1
            sent += 100
    pause = began + sent / rate - time.monotonic()
    if pause > 0:
        time.sleep(min(pause, tick))
took = time.monotonic() - began
print(sent, took, time.process_time(), flush=True)
for s in socks:
    s.close()
"""

FLOOR = """
import os, signal, socket, sys, threading
kind, path = sys.argv[1], sys.argv[2]
file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
stop = []
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
def drain(sock):
    while True:
        batch, size = [], 0
        while size < 256000:
            try:
                data = sock.recv(65536, 0 if not batch else socket.MSG_DONTWAIT)
            except BlockingIOError:
                break
            if not data and kind == "tcp":
                return
            batch.append(data if kind == "tcp" else data + b"\\n")
            size += len(data)
        os.write(file, b"".join(batch))
if kind == "udp":
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, 33, 32 << 20)
    sock.bind(("127.0.0.1", 0))
    print(sock.getsockname()[1], flush=True)
    drain(sock)
sock = socket.socket()
sock.bind(("127.0.0.1", 0))
sock.listen()
print(sock.getsockname()[1], flush=True)
while True:
    threading.Thread(target=drain, args=(sock.accept()[0],), daemon=True).start()
"""

RSYSLOG_CONF = """
global(workDirectory="{folder}" maxMessageSize="64k")
main_queue(queue.type="LinkedList" queue.size="2000000" queue.dequeueBatchSize="2048")
module(load="imudp" batchSize="128" timeRequery="8")
module(load="imtcp" maxSessions="200")
{parse_module}
input(type="imudp" address="127.0.0.1" port="{port}" ruleset="all" rcvbufSize="32m")
input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="all")
{template}
ruleset(name="all" queue.type="LinkedList" queue.size="4000000" queue.dequeueBatchSize="2048") {{
    {parse}
    action(type="omfile" file="{folder}/out" ioBufferSize="256k" flushOnTXEnd="off" asyncWriting="off"{use})
}}
"""


def _rulebase() -> str:
    """The three kinds as liblognorm writes them; a per cent sign is \\x25 there, a quotation mark \\x22."""
    asa = r": Built %way:word% %proto:word% connection %id:number% for %oif:char-to:\x3a%:%dip:ipv4%/%dport:number% "
    asa += (
        r"(%mdip:ipv4%/%mdport:number%) to %iif:char-to:\x3a%:%sip:ipv4%/%sport:number% (%msip:ipv4%/%msport:number%)"
    )
    words = {"time": "word"} | dict.fromkeys(("devname", "devid", "logid", "type", "subtype", "level", "vd"), "")
    words |= {"srcip": "ipv4", "srcport": "number", "srcintf": "", "dstip": "ipv4", "dstport": "number", "dstintf": ""}
    words |= {"proto": "number", "action": "", "policyid": "number", "service": "", "duration": "number"}
    words |= {"sentbyte": "number", "rcvdbyte": "number"}
    pairs = [f"{n}=%{n}:{kind}%" if kind else f'{n}="%{n}:char-to:\\x22%"' for n, kind in words.items()]
    sshd = "Failed password for %user:word% from %sip:ipv4% port %sport:number% ssh2"
    rules = (r" \x25ASA-%level:number%-%code:number%" + asa, " " + " ".join(pairs), sshd)
    return "version=2\n" + "".join(f"rule=:{rule}\n" for rule in rules)


def main(arguments: list[str]) -> int:
    rate, seconds = (int(arguments[0]), float(arguments[1])) if len(arguments) > 1 else (50_000, 60.0)
    folder = Path(tempfile.mkdtemp(prefix="canh-bench-", dir=os.environ.get("TMPDIR")))
    load = os.getloadavg()[0]
    print(f"{rate} messages/s for {seconds:.0f} s; load average before: {load:.1f}")
    head = ("sent", "took s", "lost", "late s", "msg/CPU-s", "sender CPU s")
    print(f"{'':<34}" + "".join(f"{name:>13}" for name in head), flush=True)
    try:
        for kind in ("udp", "tcp"):
            for name, start in _contestants(folder):
                _row(f"{name}, {kind}", start, kind, rate, seconds, folder / f"{name.split()[0]}-{kind}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


Contestant = Callable[[str, Path], "Running"]


def _contestants(folder: Path) -> list[tuple[str, Contestant]]:
    found: list[tuple[str, Contestant]] = [("floor: socket to file", Floor)]
    if RSYSLOG.exists():
        found.append(("rsyslog to file", Rsyslog))
        if (MODULES / "mmnormalize.so").exists():
            found.append(("rsyslog-mmnormalize", Parsing))
    return [*found, ("collect (spool, parse, store)", Canh)]


class Running:
    """One contestant, started on a port of its own."""

    process: subprocess.Popen[str]
    port: int

    def kept(self) -> int:
        raise NotImplementedError

    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        raise NotImplementedError

    def spent_s(self) -> float:
        return sum(cpu_s(pid) for pid in tree(self.process.pid))

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


class Floor(Running):
    def __init__(self, kind: str, folder: Path) -> None:
        folder.mkdir()
        self.file = folder / "out"
        command = [sys.executable, "-c", FLOOR, kind, str(self.file)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self._before = -1

    def kept(self) -> int:
        with self.file.open("rb") as file:
            return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))

    def is_done(self) -> bool:
        size = self.file.stat().st_size if self.file.exists() else 0
        done, self._before = size == self._before, size
        return done


class Rsyslog(Floor):
    parse_module = parse = template = use = ""

    def __init__(self, kind: str, folder: Path) -> None:
        folder.mkdir()
        self.file, self.port, self._before = folder / "out", _free_port(), -1
        (folder / "rules").write_text(_rulebase())
        words = {
            n: getattr(self, n).replace("FOLDER", str(folder)) for n in ("parse_module", "parse", "template", "use")
        }
        conf = RSYSLOG_CONF.format(folder=folder, port=self.port, **words)
        (folder / "conf").write_text(conf)
        command = [str(RSYSLOG), "-n", "-f", str(folder / "conf"), "-i", str(folder / "pid")]
        self.process = subprocess.Popen(command, text=True)
        time.sleep(1.5)


class Parsing(Rsyslog):
    parse_module = 'module(load="mmnormalize")'
    parse = 'action(type="mmnormalize" rulebase="FOLDER/rules" useRawMsg="off")'
    template = 'template(name="json" type="list") { property(name="$!all-json") constant(value="\\n") }'
    use = ' template="json"'


class Canh(Running):
    options: tuple[str, ...] = ()

    def __init__(self, kind: str, folder: Path) -> None:
        self.data, self.port = folder, _free_port()
        here = f"127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "canh", "--data", str(folder), "collect", "--plain-only", "--poll-period", "0"]
        command += ["--syslog-udp", here, "--syslog-tcp", here, "--traps", "off", *self.options, *EXTRA]
        self.process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        while "syslog-tcp on" not in self.process.stderr.readline():
            pass
        time.sleep(2)

    def kept(self) -> int:
        balance = balance_of(self.data)
        assert balance.balances
        return balance.total("received") - balance.total("dropped")

    def is_done(self) -> bool:
        return all(SpoolReader(s).committed("store") >= SpoolReader(s).end for s in spools(self.data))


EXTRA = os.environ.get("CANH_BENCH_COLLECT", "").split()  # further options of canh collect


def _row(name: str, start: Contestant, kind: str, rate: int, seconds: float, folder: Path) -> None:
    running = start(kind, folder)
    before = running.spent_s()
    command = [sys.executable, "-c", SENDER, kind, str(running.port), str(rate), str(seconds)]
    done = subprocess.run(command, input=b"\n".join(LINES), capture_output=True, check=True)
    ended = time.monotonic()
    sent, took, sender_s = done.stdout.split()
    while not running.is_done() and time.monotonic() - ended < BACKLOG_S:
        time.sleep(0.5)
    late = time.monotonic() - ended
    cpu = running.spent_s() - before
    if isinstance(running, Floor):
        running.stop()  # rsyslog holds the last lines in a buffer
    kept = running.kept()
    if running.process.poll() is None:
        running.stop()
    figures = (int(sent), float(took), int(sent) - kept, late, kept / cpu, float(sender_s))
    shape = "{:>13}{:>13.1f}{:>13}{:>13.1f}{:>13.0f}{:>13.1f}"
    print(f"{name:<34}" + shape.format(*figures), flush=True)


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def tree(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(below for child in children for below in tree(int(child)))]


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
