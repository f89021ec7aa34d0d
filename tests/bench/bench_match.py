"""How fast events are matched: our rules on the lab's ordinary lines, community rules on recordings.

CPU seconds of one process, so that a busy machine changes little. The recordings and the community
set stand outside the repository (CANH_SIGMA names their folder); without them those lines are left out.
"""

from __future__ import annotations

import os
import resource
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from inventory import load as load_province
from monitoring.event import Event
from monitoring.pipeline import Pipeline
from monitoring.spool import Received, Spool, SpoolReader
from soc import placeholders
from soc.detection import Detection
from soc.sigma import OWN_RULES, Matcher, RuleSet, encode, load

ROOT = Path(__file__).resolve().parents[2]
BATCH = 500
BENIGN = (
    "ulogd 300 - -  canh:allow:forward IN=eth1 OUT=eth3 MAC=7e:7a:30:01:6e:03:f2:b4:1e:55:09:c1:08:00 SRC=10.250.65.10"
    " DST=10.250.64.10 LEN=60 TOS=00 PREC=0x00 TTL=61 ID={n} DF PROTO=TCP SPT={port} DPT=443 SEQ=1 ACK=0"
    " WINDOW=64240 SYN URGP=0 MARK=0 ",
    "sshd 811 - -  Accepted publickey for ansible from 10.250.255.1 port {port} ssh2: ED25519 SHA256:Zy3nq0Vf1m8pR5s",
    "systemd 1 - -  Finished logrotate.service - Rotate log files {n}.",
    "CRON 90 - -  (root) CMD (cd / && run-parts --report /etc/cron.hourly)",
    "chronyd 301 - -  Selected source 10.250.64.74",
)


def main() -> None:
    province = load_province(ROOT / "inventory/provinces/lab")
    values = placeholders.of(province)
    began = time.process_time()
    rules = load([OWN_RULES], values)
    _said("our rules loaded", time.process_time() - began, f"{len(rules.rules)} + {len(rules.correlations)}")
    with tempfile.TemporaryDirectory(prefix="canh-bench-") as folder:
        events = _benign(Pipeline(province, Path(folder)), Path(folder), 40_000)
    encoded = [encode(event) for event in events]
    _rate("our rules, benign lab lines: engine alone", len(events), lambda: _match(rules, encoded))
    _rate("our rules, benign lab lines: detection", len(events), lambda: _detect(rules, events))
    _recordings(values)
    print(f"{'memory at most':<58} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:>10.0f} MB")


def _benign(pipeline: Pipeline, folder: Path, n: int) -> list[Event]:
    """Ordinary lines through a real spool and the real parsers."""
    begin = datetime.now(UTC) - timedelta(hours=1)
    spool = Spool(folder / "spool")
    for start in range(0, n, 1000):
        lines = []
        for number in range(start, start + 1000):
            when = begin + timedelta(milliseconds=number)
            text = BENIGN[number % len(BENIGN)].format(n=number, port=1024 + number % 60000)
            raw = f"<134>1 {when.isoformat()} dc-fw1 {text}".encode()
            lines.append(Received(raw, round(when.timestamp() * 1e6), "syslog-tcp", "10.250.64.1", 514))
        spool.append(lines)
    spool.close()
    reader, position, events = SpoolReader(folder / "spool"), 0, []
    began = time.process_time()
    while True:
        records, position = reader.read(position, BATCH)
        if not records:
            break
        events += [pipeline.event_of(record) for record in records]
    spent = time.process_time() - began
    print(f"{'read from the spool and parsed, for comparison':<58} {n / spent:>10,.0f} events/CPU-s")
    return events


def _match(rules: RuleSet, encoded: list[bytes]) -> int:
    matcher = Matcher(rules)
    return sum(1 for start in range(0, len(encoded), BATCH) for _ in matcher.match(encoded[start : start + BATCH]))


def _detect(rules: RuleSet, events: list[Event]) -> int:
    """Encoding, matching, waiting, correlating; without the parsing and the disk."""
    detection = Detection(rules, timedelta(seconds=5))
    for start in range(0, len(events), BATCH):
        detection.take(events[start : start + BATCH], events[start].received)
    return detection.matches


def _recordings(values: dict[str, tuple[str, ...]]) -> None:
    sigma = Path(os.environ.get("CANH_SIGMA", ROOT.parent / "shared/sigma"))
    if not (sigma / "rules.tar.gz").is_file():
        print("community rules and recordings: not here (CANH_SIGMA names their folder)")
        return
    with tempfile.TemporaryDirectory(prefix="canh-bench-") as folder:
        with tarfile.open(sigma / "rules.tar.gz") as archive:
            archive.extractall(folder, filter="data")
        began = time.process_time()
        rules = load([Path(folder)], values)
        spent = time.process_time() - began
    _said("community rules loaded", spent, f"{len(rules.rules)}, {len(rules.refused)} refused")
    for path in sorted((sigma / "events").glob("*.zip")):
        lines = list(_lines(path))
        _rate(f"community rules, {path.stem}", len(lines), lambda lines=lines: _match(rules, lines))  # type: ignore[misc]


def _lines(path: Path) -> Iterator[bytes]:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".json") and not name.startswith("__MACOSX"):
                yield from archive.read(name).splitlines()


def _rate(what: str, n: int, run: Callable[[], int]) -> None:
    run()
    began = time.process_time()
    matches = run()
    spent = time.process_time() - began
    print(f"{what:<58} {n / spent:>10,.0f} events/CPU-s   {matches:,} matches in {n:,} events", flush=True)


def _said(what: str, seconds: float, detail: str) -> None:
    print(f"{what:<58} {seconds:>10.2f} CPU-s   {detail}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
