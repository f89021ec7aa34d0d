"""Receipt to alert: from a record's stamp in the spool until the case store has its alert, p50 and p99.

A real spool is written at a steady rate while a detector tails it, in one process, with the real
parsers and the real case store. Every alert comes from another address, so each is a new one.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from inventory import load as load_province
from monitoring.pipeline import Pipeline
from monitoring.spool import Received, Spool
from soc import placeholders
from soc.alert import Alert
from soc.cases import CaseStore
from soc.detector import Detector
from soc.sigma import OWN_RULES, load

ROOT = Path(__file__).resolve().parents[2]
SECONDS, EVENTS_A_SECOND, ALERTS_A_SECOND = 10, 500, 5
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
            self.delays.setdefault(alert.id, (alert.title, (now - alert.received_at).total_seconds()))
        return done


def main() -> None:
    province = load_province(ROOT / "inventory/provinces/lab")
    with tempfile.TemporaryDirectory(prefix="canh-bench-") as folder:
        data_dir = Path(folder)
        spool, watched = Spool(data_dir / "spool/collect"), Watched(CaseStore(data_dir))
        detector = Detector(
            rules=load([OWN_RULES], placeholders.of(province)),
            parsing=Pipeline(province, data_dir),
            data_dir=data_dir,
            cases=watched,
            lateness=LATENESS,
        )
        writer = threading.Thread(target=_write, args=(spool, detector))
        writer.start()
        cpu = time.process_time()
        detector.run()
        cpu = time.process_time() - cpu
        writer.join()
    load_now = os.getloadavg()[0]
    print(f"{EVENTS_A_SECOND} events/s, {ALERTS_A_SECOND} alerts/s, load average {load_now:.1f}; CPU {cpu:.1f} s")
    for title, what in (("Login attempt with a default account", "stateless"), ("Many failed logins", "correlation")):
        delays = sorted(delay for name, delay in watched.delays.values() if name.startswith(title))
        if delays:
            p50, p99 = delays[len(delays) // 2], delays[int(len(delays) * 0.99)]
            extra = f" (lateness {LATENESS.total_seconds():.0f} s included)" if what == "correlation" else ""
            print(f"{what:<12} {len(delays):>5} alerts   p50 {p50:.3f} s   p99 {p99:.3f} s{extra}")


def _write(spool: Spool, detector: Detector) -> None:
    """Ordinary lines, and among them logins as admin, five from each address; then the end of the detector."""
    ticks, per_tick = SECONDS * 50, EVENTS_A_SECOND // 50
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
    time.sleep(LATENESS.total_seconds() + 2)
    detector.stop()


if __name__ == "__main__":
    sys.exit(main())
