"""Whether the platform sees everything: the event balance, silent devices, and that detection runs.

A missing or old counter is "no data", never zero: a quiet screen and a blind one must not look alike.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from threading import Lock
from typing import Any

from inventory.model import Province
from monitoring.stats import Balance as Counted
from monitoring.stats import balance_of

STALE = timedelta(seconds=30)  # counters are written every second
QUIET = timedelta(minutes=15)  # every device is polled far more often, or sends
REFRESH = timedelta(seconds=2)
COUNTED_OCTETS = 4 * 1024 * 1024  # of a spool, read at each look to count what is on the way: 30,000 messages, 0.3 s


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """received = stored + dead + dropped + in_flight + missing. `at`: when the collector last wrote."""

    received: int
    stored: int
    dead: int
    dropped: int
    in_flight: int
    missing: int
    balances: bool
    at: datetime
    trouble: str = ""  # why the spool takes nothing now
    is_reckoned: bool = False  # so much is on the way that it was not counted: what the other counts leave

    def is_stale(self, now: datetime) -> bool:
        return now - self.at > STALE


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A device nothing came from for at least `QUIET`. `since` is None when nothing ever came."""

    device: str
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    balance: Balance | None = None  # None: no collector ever wrote here
    silent: tuple[Silence, ...] = ()
    heard: int = 0  # devices something came from, since the watch began
    since: datetime | None = None  # when the watch began
    names_silence: bool = False  # it has watched long enough to call a device silent
    detecting: bool | None = None  # None: no detector ever wrote here

    def sees(self, device: str, now: datetime) -> bool:
        """Whether no alert from the device means that nothing happened there."""
        if self.balance is None or self.balance.is_stale(now) or self.detecting is not True:
            return False
        return all(silence.device != device for silence in self.silent)


@dataclass
class Watch:
    """Keeps an eye on the counters; remembers when each device's last moved. Made at start, one a process."""

    province: Province
    data_dir: Path
    started: datetime
    _seen: dict[str, tuple[int, datetime | None]] = field(default_factory=dict)  # device: count, when it moved
    _sight: Sight = field(default_factory=Sight)
    _looked: datetime | None = None
    _lock: Lock = field(default_factory=Lock)

    def look(self, now: datetime) -> Sight:
        """What is seen now, at most `REFRESH` old."""
        with self._lock:
            if self._looked is None or not self._looked <= now < self._looked + REFRESH:
                self._sight, self._looked = self._fresh(now), now
            return self._sight

    def _fresh(self, now: datetime) -> Sight:
        detector = _written(self.data_dir / "stats" / "detect.json")
        collector = _written(self.data_dir / "stats" / "collect.json")
        detecting = None if detector is None else now - detector <= STALE
        if collector is None:
            return Sight(detecting=detecting)
        counted = balance_of(self.data_dir, most_octets=COUNTED_OCTETS)
        self._remember(counts_by_device(self.province, counted), now)
        return Sight(
            balance=_balance(counted, collector),
            silent=self._silent(now),
            heard=sum(moved is not None for _, moved in self._seen.values()),
            since=self.started,
            names_silence=now - self.started >= QUIET,
            detecting=detecting,
        )

    def _remember(self, counts: Mapping[str, int], now: datetime) -> None:
        for device, count in counts.items():
            known, moved = self._seen.get(device, (None, None))
            if count != known:
                first_look = known is None
                self._seen[device] = (count, moved if first_look and not count else now)

    def _silent(self, now: datetime) -> tuple[Silence, ...]:
        if now - self.started < QUIET:
            return ()
        found = [(d, self._seen.get(d, (0, None))[1]) for d in self.province.devices]
        silent = [Silence(device=d, since=moved) for d, moved in found if moved is None or now - moved > QUIET]
        return tuple(sorted(silent, key=lambda s: (s.since is not None, s.since or now, s.device)))


def counts_by_device(province: Province, counted: Counted) -> dict[str, int]:
    """Messages received so far of every device of the inventory, whatever address they came from."""
    counts = dict.fromkeys(province.devices, 0)
    for source in counted.sources:
        if source.source.startswith("canh "):  # what we say of a device is no sign of its life
            continue
        if device := _device_at(province, source.source.rpartition(" ")[2]):
            counts[device] += source.received
    return counts


def _device_at(province: Province, peer: str) -> str:
    try:
        address = ip_address(peer)
    except ValueError:
        return ""
    if address.is_loopback:
        return province.soc.name
    device = province.device_by_address.get(address) if address.version == 4 else None
    return device.name if device else ""


def _balance(counted: Counted, at: datetime) -> Balance:
    return Balance(
        received=counted.total("received"),
        stored=counted.total("stored"),
        dead=counted.total("dead"),
        dropped=counted.total("dropped"),
        in_flight=counted.total("in_flight"),
        missing=counted.total("missing"),
        balances=counted.balances,
        at=at,
        trouble=counted.trouble,
        is_reckoned=counted.is_reckoned,
    )


def _written(path: Path) -> datetime | None:
    """When a process last wrote its counters, None when it never did."""
    try:
        document: Any = json.loads(path.read_text("utf-8"))
        return datetime.fromisoformat(document["at"]).astimezone(UTC)
    except (OSError, ValueError, KeyError, TypeError):
        return None
