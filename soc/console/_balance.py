"""The event balance and silent sources, from the counters collectors and detection write to `<data>/stats/`.

A missing or unreadable file is "no data", never zero: a quiet screen and a blind one must differ.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

STALE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Events since the counters began. `at` is when they were written."""

    received: int
    stored: int
    dead: int
    dropped: int
    at: datetime

    @property
    def missing(self) -> int:
        """Received but in none of the three yet: in flight while small and short."""
        return self.received - self.stored - self.dead - self.dropped

    def is_stale(self, now: datetime) -> bool:
        return now - self.at > STALE


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    source: str
    last_seen: datetime | None
    expected: timedelta | None = None


def balance_of(data_dir: Path) -> Balance | None:
    """The sum over all collectors, None when there is no counter to read."""
    found = [(document, at) for document, at in _documents(data_dir) if "received" in _counters(document)]
    if not found:
        return None
    sums = {
        name: sum(_number(_counters(d), name) for d, _ in found) for name in ("received", "stored", "dead", "dropped")
    }
    return Balance(at=max(at for _, at in found), **sums)


def silences_of(data_dir: Path) -> tuple[Silence, ...]:
    """Sources the collectors report as silent, longest first."""
    silent: list[Silence] = []
    for document, _ in _documents(data_dir):
        entries = document.get("silent", ())
        silent += [s for entry in entries if isinstance(entry, Mapping) and (s := _silence(entry)) is not None]
    return tuple(sorted(silent, key=lambda s: (s.last_seen or datetime.min.replace(tzinfo=UTC), s.source)))


def _documents(data_dir: Path) -> list[tuple[Mapping[str, Any], datetime]]:
    documents: list[tuple[Mapping[str, Any], datetime]] = []
    for path in sorted((data_dir / "stats").glob("*.json")):
        try:
            document = json.loads(path.read_text("utf-8"))
            written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        except (OSError, ValueError):
            continue
        if isinstance(document, dict):
            documents.append((document, written))
    return documents


def _counters(document: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = document.get("counters")
    return inner if isinstance(inner, Mapping) else document


def _number(counters: Mapping[str, Any], name: str) -> int:
    """A counter; one by reason ({"too-long": 3}) counts as its sum."""
    value = counters.get(name, 0)
    if isinstance(value, Mapping):
        return sum(v for v in value.values() if isinstance(v, int))
    return value if isinstance(value, int) else 0


def _silence(entry: Mapping[str, Any]) -> Silence | None:
    source = entry.get("source") or entry.get("device")
    if not isinstance(source, str):
        return None
    last, expected = entry.get("last_seen"), entry.get("expected_s")
    try:
        seen = datetime.fromisoformat(last).astimezone(UTC) if isinstance(last, str) else None
    except ValueError:
        seen = None
    return Silence(
        source=source,
        last_seen=seen,
        expected=timedelta(seconds=expected) if isinstance(expected, int | float) else None,
    )
