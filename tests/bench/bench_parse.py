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
    "ASA, connection built": "<166>Nov 22 2026 03:20:00 dc-r1 : %ASA-6-302013: Built outbound TCP connection {n} for "
    "outside:198.51.100.66/443 (198.51.100.66/443) to inside:10.250.65.10/50112 (203.0.113.2/50112)",
    "FortiGate, traffic": '<189>date=2026-11-22 time=03:20:00 devname="FGT-HN-01" devid="FG100FTK20012345" '
    'eventtime=1795292400123456789 tz="+0700" logid="0000000013" type="traffic" subtype="forward" level="notice" '
    'vd="root" srcip=10.250.65.10 srcport={n} srcintf="port12" srcintfrole="lan" dstip=198.51.100.66 dstport=443 '
    'dstintf="port11" dstintfrole="wan" srccountry="Reserved" dstcountry="United States" sessionid=10812 proto=6 '
    'action="close" policyid=1 policytype="policy" poluuid="ec15412c-5742-51e9-8f7f-51043ad3ff10" '
    'policyname="LAN->WAN" user="an.nv" service="HTTPS" trandisp="snat" transip=203.0.113.2 transport=54190 '
    'appid=40568 app="HTTPS.BROWSER" appcat="Web.Client" apprisk="medium" duration=5 sentbyte=1850 rcvdbyte=3938 '
    'sentpkt=14 rcvdpkt=12 mastersrcmac="02:00:00:00:00:11" srcmac="02:00:00:00:00:11"',
    "PAN-OS, traffic": "<14>Nov 22 03:20:00 pa1 1,2026/11/22 03:20:00,01606001116,TRAFFIC,end,2049,2026/11/22 03:20:00,"
    "10.250.65.10,198.51.100.46,203.0.113.1,198.51.100.46,rule1,example\\an,,ssl,vsys1,trust,untrust,ethernet1/2,"
    "ethernet1/1,fwd,2026/11/22 03:20:00,3012,1,{n},443,23456,443,0x200019,tcp,allow,1495,640,855,10,"
    "2026/11/22 03:19:43,17,any,0,0,0x0,10.0.0.0-10.255.255.255,United States,0,5,5,tcp-fin,0,0,0,0,,pa1,from-policy",
    "nginx, access": f"<182>{HEAD} dc-app1 nginx - - - 10.250.65.10 - - [22/Nov/2026:03:20:00 +0700] "
    '"GET /dich-vu?ma={n} HTTP/2.0" 200 612 "-" "Mozilla/5.0 (X11; Linux x86_64)"',
}


def main() -> None:
    pipeline = Pipeline(load(ROOT / "inventory/provinces/lab"), Path("/nonexistent"))
    print(f"{'line':24} {'events/CPU-s':>12} {'us each':>8} {'floor':>10} {'of floor':>8}")
    for kind, shape in KINDS.items():
        records = [record(shape.format(n=n), n) for n in range(LINES)]
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


def record(line: str, number: int) -> SpoolRecord:
    received = datetime(2026, 11, 22, 3, 20, 1, tzinfo=UTC)
    return SpoolRecord(number, number + 1, UUID(int=1), received, "10.250.0.3", 514, "syslog-tcp", line.encode())


if __name__ == "__main__":
    main()
