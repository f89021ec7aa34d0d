"""How fast detection catches up with a backlog: parsing, matching with all rules, counting, committing.

One spool of a day's usual mixture, taken by one process alone and by one with helpers. The alerts are the same;
a test holds that (tests/unit/soc/test_engine_crash.py).
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from inventory import load as load_province
from inventory.model import Province, Role
from monitoring.pipeline import Pipeline
from monitoring.spool import Received, Spool
from soc import placeholders
from soc.cases import CaseStore
from soc.detector import Detector
from soc.policy import documents
from soc.sigma import OWN_RULES, load

ROOT = Path(__file__).resolve().parents[2]
RECORDS = 120_000
HELPERS = (0, 1, 2, 4)

# Of a hundred lines: what firewalls, switches, servers and web servers say all day, and a few failures.
FLOW = "IN=eth1 OUT=eth3 SRC={a} DST={app} LEN=60 TTL=63 ID={n} PROTO=TCP SPT={p} DPT={d}"
GET = '{a} - - [22/Nov/2026:10:00:00 +0700] "GET /{n} HTTP/1.1" 200 5 "-" "M"'
MIXTURE = (
    (55, "<134>1 {t} dc-fw1 ulogd 1 - - canh:allow:forward  " + FLOW.replace("{d}", "443")),
    (10, "<134>1 {t} dc-fw1 ulogd 1 - - canh:deny:forward  " + FLOW),
    (20, "<30>1 {t} dc-app1 systemd 1 - - Started job-{n}.service - Job {n}."),
    (10, "<190>1 {t} dc-app1 nginx 7 - - " + GET),
    (
        4,
        "<38>1 {t} dc-app1 sshd 8 - - Accepted publickey for quantri from 10.250.255.1 port {p} ssh2: ED25519 SHA256:x",
    ),
    (1, "<38>1 {t} dc-app1 sshd 8 - - Failed password for lan from {a} port {p} ssh2"),
)


def main() -> None:
    province = load_province(ROOT / "inventory/provinces/lab")
    own = [(rule.path, rule.text) for rule in documents(province)]
    rules = load([OWN_RULES], placeholders.of(province), generated=own)
    print(f"{len(rules.rules)} rules, {len(rules.correlations)} correlations, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="canh-bench-") as folder:
        whole = Path(folder) / "whole"
        _fill(whole, province)
        for helpers in HELPERS:
            data_dir = Path(folder) / str(helpers)
            shutil.copytree(whole, data_dir)
            detector = Detector(
                rules=rules,
                parsing=Pipeline(province, data_dir),
                data_dir=data_dir,
                cases=CaseStore(data_dir),
                lateness=timedelta(seconds=5),
                helpers=helpers,
            )
            began, cpu, of_others = time.monotonic(), time.process_time(), _children()
            while detector.step():
                pass
            seconds, cpu = time.monotonic() - began, time.process_time() - cpu
            counters = detector.detection.counters()
            detector.close()
            with suppress(ChildProcessError):  # what the helpers took counts when they have ended
                while os.waitpid(-1, 0):
                    pass
            whole_cpu = cpu + _children() - of_others
            found = f"{counters['matches']} matches, {counters['alerts']} alerts"
            rate, per_cpu = RECORDS / seconds, RECORDS / whole_cpu
            print(f"  {helpers} helpers: {rate:>8,.0f} events/s, {per_cpu:>8,.0f} per CPU-second; {found};")
            print(f"{'':>13}the one who counts: {cpu:.1f} of {seconds:.1f} s")


def _children() -> float:
    """CPU seconds of helpers that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _fill(data_dir: Path, province: Province) -> None:
    """From the devices themselves, about offices that are declared: an ordinary day matches almost nothing."""
    chance, spool = random.Random(5), Spool(data_dir / "spool" / "collect")
    texts = [text for share, text in MIXTURE for _ in range(share)]
    senders = {name: str(province.devices[name].service_address) for name in ("dc-fw1", "dc-app1")}
    offices = [str(device.service_address) for device in province.devices_of(Role.WORKSTATION)]
    start = datetime.now(UTC) - timedelta(minutes=10)
    for begin in range(0, RECORDS, 2000):
        batch = []
        for n in range(begin, begin + 2000):
            when, text = start + timedelta(milliseconds=n), chance.choice(texts)
            facts = {"a": chance.choice(offices), "app": senders["dc-app1"], "d": chance.choice([23, 445, 3389])}
            line = text.format(t=when.isoformat(), n=n, p=1024 + n % 60000, **facts)
            peer = senders["dc-fw1" if "dc-fw1" in line else "dc-app1"]
            batch.append(Received(line.encode(), round(when.timestamp() * 1e6), "syslog-tcp", peer, 514))
        spool.append(batch)
    spool.close()


if __name__ == "__main__":
    main()
