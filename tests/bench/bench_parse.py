"""Parse and enrich: events per CPU-second of one process, by kind of line.

The floor is what Python needs to decode a line and put its words into a dictionary, measured on the
same lines in the same run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from inventory import load
from monitoring.event import Event
from monitoring.pipeline import Pipeline
from monitoring.spool import SpoolRecord

ROOT = Path(__file__).resolve().parents[2]
LINES = 30_000
ROUNDS = 3
HEAD = "1 2026-11-22T03:20:00.{n:06d}+07:00"
KINDS = {
    "header only, RFC 5424": f"<134>{HEAD} dc-r1 unknownd 812 - - number {{n}} of a program no parser knows",
    "header only, RFC 3164": "<134>Nov 22 03:20:00 dc-r1 unknownd[812]: number {n} of a program no parser knows",
    "sshd, failed login": f"<38>{HEAD} dc-r1 sshd 812 - - Failed password for root from 10.250.65.10 port {{n}} ssh2",
    "sshd, last rule": f"<38>{HEAD} dc-r1 sshd 812 - - something else happened {{n}} times",
    "netfilter, denied": f"<134>{HEAD} dc-r1 ulogd 300 - - canh:deny:forward  IN=eth1 OUT=eth3 "
    "MAC=02:00:00:00:00:01:02:00:00:00:00:02:08:00 SRC=10.250.65.10 DST=10.250.64.10 LEN=60 TOS=00 PREC=0x00 TTL=62 "
    "ID={n} DF PROTO=TCP SPT=50112 DPT=8080 SEQ=123 ACK=0 WINDOW=64240 SYN URGP=0 MARK=0x0",
    "FRR, neighbour": f"<29>{HEAD} dc-r1 ospfd 420 - - [Y05P2-YJVXY] AdjChg: Nbr 10.250.0.2, NbrIP 10.250.1.1 "
    "(default) on eth1:10.250.1.0: Full -> Deleted (InactivityTimer {n})",
    "nginx, access": f"<182>{HEAD} dc-app1 nginx - - - 10.250.65.10 - - [22/Nov/2026:03:20:00 +0700] "
    '"GET /dich-vu?ma={n} HTTP/2.0" 200 612 "-" "Mozilla/5.0 (X11; Linux x86_64)"',
}


def main() -> None:
    pipeline = Pipeline(load(ROOT / "inventory/provinces/lab"), Path("/nonexistent"))
    print(f"{'line':24} {'events/CPU-s':>12} {'us each':>8} {'floor':>10} {'of floor':>8}")
    for kind, shape in KINDS.items():
        records = [_record(shape.format(n=n), n) for n in range(LINES)]
        ours = _rate(records, pipeline.event_of)
        floor = _rate(records, _floor)
        print(f"{kind:24} {ours:12,.0f} {1e6 / ours:8.1f} {floor:10,.0f} {ours / floor:8.1%}")


def _rate(records: list[SpoolRecord], parse: Callable[[SpoolRecord], object]) -> float:
    """Best of some rounds: events per second of CPU time of this process."""
    best = 0.0
    for _ in range(ROUNDS):
        began = time.process_time()
        for record in records:
            parse(record)
        best = max(best, len(records) / (time.process_time() - began))
    return best


def _floor(record: SpoolRecord) -> Event:
    text = record.raw.decode("utf-8")
    return Event({"event.original": text, "message": text.split(" ", 7)[-1], "words": tuple(text.split())})


def _record(line: str, number: int) -> SpoolRecord:
    received = datetime(2026, 11, 22, 3, 20, 1, tzinfo=UTC)
    return SpoolRecord(number, number + 1, UUID(int=1), received, "10.250.0.3", 514, "syslog-tcp", line.encode())


if __name__ == "__main__":
    main()
