"""The lab province and records from it, for the tests of parsing and storing."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from uuid import UUID

from inventory import load
from inventory.model import Province
from monitoring.pipeline import Pipeline
from monitoring.spool import SpoolRecord

ROOT = Path(__file__).resolve().parents[3]
RECEIVED = datetime(2026, 11, 22, 3, 20, 0, tzinfo=UTC)
SPOOL = UUID("6f1d3f0e-0000-4000-8000-000000000001")
ROUTER, SERVER = "10.250.0.3", "10.250.64.10"  # dc-r1, dc-app1


@cache
def province() -> Province:
    return load(ROOT / "inventory/provinces/lab")


def pipeline(data_dir: Path = Path("/nonexistent"), relays: tuple[str, ...] = ()) -> Pipeline:
    return Pipeline(province(), data_dir, relays=relays)


def record(
    raw: bytes | str,
    *,
    position: int = 0,
    peer: str = ROUTER,
    receiver: str = "syslog-udp",
    received: datetime = RECEIVED,
    cut: int = 0,
) -> SpoolRecord:
    octets = raw.encode() if isinstance(raw, str) else raw
    return SpoolRecord(position, position + 1, SPOOL, received, peer, 514, receiver, octets, cut)
