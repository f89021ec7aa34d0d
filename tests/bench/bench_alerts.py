"""Receipt to alert: from a record's stamp in the spool until the case store has its alert, p50 and p99.

A process writes a real spool at a steady rate while a detector tails it, with the real parsers, all rules
and the real case store, at two rates: a quiet hour, and 10,000 events/s. Every alert comes from another
address, so each is a new one.
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from canh.verbs.detect import default_matchers
from inventory import load as load_province
from monitoring.pipeline import Pipeline
from monitoring.spool import Received, Spool
from soc import placeholders
from soc.alert import Alert
from soc.cases import CaseStore
from soc.detector import Detector
from soc.sigma import OWN_RULES, RuleSet, load

ROOT = Path(__file__).resolve().parents[2]
SECONDS, RATES, ALERTS_A_SECOND = 20, (500, 10_000), 5
HELPERS = default_matchers()
RULES = {
    "82a29b1e-c25d-5ef9-97b5-4d2d4e9943b8": "stateless",  # access/default-account
    "d04fc720-e4ed-57a8-9f67-fea277e5ea61": "correlation",  # access/ssh-bruteforce
}
LATENESS = timedelta(seconds=2)


class Watched:
    """The case store, and when it had each alert."""

    def __init__(self, store: CaseStore) -> None:
        self.store = store
        self.delays: dict[str, tuple[str, float]] = {}

    def deliver(self, alerts: Iterable[Alert]) -> int:
        alerts = list(alerts)
        done = self.store.deliver(alerts)
        now = datetime.now(UTC)
        for alert in alerts:
            self.delays.setdefault(alert.id, (alert.rule_id, (now - alert.received_at).total_seconds()))
        return done


def main() -> None:
    province = load_province(ROOT / "inventory/provinces/lab")
    rules = load([OWN_RULES], placeholders.of(province))
    print(f"{len(rules.rules)} rules, {len(rules.correlations)} correlations, {HELPERS} helpers when behind")
    for rate in RATES:
        with tempfile.TemporaryDirectory(prefix="canh-bench-") as folder:
            _measure(rate, Path(folder), rules, Pipeline(province, Path(folder)))


def _measure(rate: int, data_dir: Path, rules: RuleSet, pipeline: Pipeline) -> None:
    spool, watched = Spool(data_dir / "spool/collect"), Watched(CaseStore(data_dir))
    detector = Detector(
        rules=rules, parsing=pipeline, data_dir=data_dir, cases=watched, lateness=LATENESS, helpers=HELPERS
    )
    writer = multiprocessing.get_context("fork").Process(target=_write, args=(spool, rate))
    writer.start()
    cpu, most_behind, until = time.process_time(), 0, 0.0
    while not until or time.monotonic() < until:
        if not detector.step():
            time.sleep(0.02)
        most_behind = max(most_behind, detector._tails.octets_behind)
        if not until and not writer.is_alive():
            until = time.monotonic() + LATENESS.total_seconds() + 2
    cpu = time.process_time() - cpu
    writer.join()
    events = detector.detection.events
    detector.close()
    load_now = os.getloadavg()[0]
    print(
        f"{rate} events/s asked, {events / SECONDS:.0f} taken, {ALERTS_A_SECOND} alerts/s, load average {load_now:.1f};"
        f" CPU {cpu:.1f} s of {SECONDS} s (without helpers), at most {most_behind / 1024:.0f} KiB behind"
    )
    for rule_id, what in RULES.items():
        delays = sorted(delay for raised_by, delay in watched.delays.values() if raised_by == rule_id)
        if delays:
            p50, p99 = delays[len(delays) // 2], delays[int(len(delays) * 0.99)]
            extra = f" (lateness {LATENESS.total_seconds():.0f} s included)" if what == "correlation" else ""
            print(f"  {what:<12} {len(delays):>5} alerts   p50 {p50:.3f} s   p99 {p99:.3f} s{extra}")


def _write(spool: Spool, rate: int) -> None:
    """Ordinary lines, and among them logins as admin, five from each address."""
    ticks, per_tick = SECONDS * 50, rate // 50
    begin = time.monotonic()
    address = 0
    for tick in range(ticks):
        now = datetime.now(UTC)
        lines = [f"systemd 1 - - Finished job {tick}-{n}." for n in range(per_tick)]
        if tick % (50 // ALERTS_A_SECOND) == 0:
            address += 1
            source = f"10.250.{address // 250}.{address % 250 + 1}"
            lines[:5] = [f"sshd 8 - - Failed password for admin from {source} port {p} ssh2" for p in range(5)]
        stamp, stamp_us = now.isoformat(), round(now.timestamp() * 1e6)
        raw = [f"<38>1 {stamp} dc-app1 {line}".encode() for line in lines]
        spool.append([Received(line, stamp_us, "syslog-tcp", "10.250.64.10", 514) for line in raw])
        time.sleep(max(0.0, begin + (tick + 1) / 50 - time.monotonic()))


if __name__ == "__main__":
    main()
