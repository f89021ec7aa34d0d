"""What a receiving process counts besides the spool's own counts, kept over restarts.

`<data>/stats/collect.json` (`collect-2.json` and so on of further processes), replaced every second:
    {"process": "collect", "pid", "at", "spools": {"<name>": {"id", "position", "received": {source: n}, ...}},
     "dropped": {reason: {source: n}}, "cut": {source: n}, "refused": {reason: {source: n}},
     "kernel": {socket: n}, "rates": {source: messages/s}, "polls": {"up": n, "down": n}, "gauges": {...},
     "trouble": text or null}
A source is "<receiver> <peer>". `dropped` are messages that reached this machine and are in no
spool; `cut` are kept but shortened; `refused` are connections and SNMP messages that were turned away, and messages
that are not taken because they are kept already (`sent-again`) or because their sender keeps them (`not-kept`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from monitoring.durable import read_json, replace_json
from monitoring.spool import Tally

KERNEL = "kernel-buffer-full"
KILLED = "process-killed"
RATES_S = 10.0


class Counters:
    """Mutable, owned by the event loop's thread."""

    def __init__(self, path: Path) -> None:
        """Goes on from what the file says."""
        self.path = path
        saved = read_json(path)
        self.saved_at = _moment(saved.get("at"))
        self._dropped = {str(k): Tally(v) for k, v in _mapping(saved, "dropped").items()}
        self._refused = {str(k): Tally(v) for k, v in _mapping(saved, "refused").items()}
        self._cut = Tally(_mapping(saved, "cut"))
        self._kernel_before = {str(k): int(v) for k, v in _mapping(saved, "kernel").items()}
        self._kernel: dict[str, int] = {}
        self.polls = {"up": 0, "down": 0} | dict(_mapping(saved, "polls"))

    def dropped(self, reason: str, source: str, n: int = 1) -> None:
        self._dropped.setdefault(reason, Tally()).add(source, n)

    def refused(self, reason: str, source: str, n: int = 1) -> None:
        self._refused.setdefault(reason, Tally()).add(source, n)

    def cut(self, source: str) -> None:
        self._cut.add(source)

    def kernel_dropped(self, sock: str, drops: int, source: str) -> None:
        """`drops`: what the kernel says of this socket since it was made (32 bit); a process may have died since."""
        before = self._kernel.get(sock, self._kernel_before.get(sock, 0))
        self._kernel[sock] = drops
        if new := (drops - before) % 2**32:
            self.dropped(KERNEL, source, new)

    def dropped_total(self) -> int:
        return sum(t.total for t in self._dropped.values())

    def dropped_after_taking(self) -> dict[str, int]:
        """By receiver, what was dropped that a receiver had in its hands: all but what the kernel dropped."""
        totals: dict[str, int] = {}
        for reason, tally in self._dropped.items():
            if reason != KERNEL:
                for receiver, n in tally.by_receiver().items():
                    totals[receiver] = totals.get(receiver, 0) + n
        return totals

    def save(self, **more: Any) -> None:
        """Write all of it with `more` beside. Raises OSError (a full disk)."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        document = {
            "process": "collect",
            "pid": os.getpid(),
            "at": datetime.now(UTC).isoformat(),
            "dropped": {k: t.counts for k, t in self._dropped.items()},
            "refused": {k: t.counts for k, t in self._refused.items()},
            "cut": self._cut.counts,
            "kernel": self._kernel or self._kernel_before,
            "polls": self.polls,
        }
        replace_json(self.path, document | more)


class Rates:
    """Messages a second of each source, over the last RATES_S."""

    def __init__(self, counts: Mapping[str, int], now: float) -> None:
        self.rates: dict[str, float] = {}
        self._before, self._at = dict(counts), now

    def look(self, counts: Mapping[str, int], now: float) -> None:
        """Work them out anew when it is time. `now`: seconds of a clock that never goes back."""
        passed = now - self._at
        if passed < RATES_S:
            return
        before = self._before
        self.rates = {s: (n - before.get(s, 0)) / passed for s, n in counts.items() if n != before.get(s, 0)}
        self._before, self._at = dict(counts), now


def _moment(text: object) -> datetime:
    """When the process before saved last; 1970 when nobody knows."""
    try:
        return datetime.fromisoformat(str(text)).astimezone(UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


def _mapping(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name, {})
    return value if isinstance(value, Mapping) else {}
