"""What the collector counts besides the spool's own counts, kept over restarts.

`<data>/stats/collect.json`, replaced every second:
    {"process": "collect", "pid", "at", "spools": {"<name>": {"end", "received": {source: n}}},
     "dropped": {reason: {source: n}}, "cut": {source: n}, "refused": {reason: {source: n}},
     "polls": {"up": n, "down": n}, "gauges": {...}, "trouble": text or null}
A source is "<receiver> <peer>". `dropped` are messages that reached this machine and are in no
spool; `cut` are kept but shortened; `refused` are connections and SNMP messages that were turned away.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from monitoring.durable import read_json, replace_json
from monitoring.spool import Tally


class Counters:
    """Mutable, owned by the event loop's thread."""

    def __init__(self, path: Path) -> None:
        """Goes on from what the file says."""
        self.path = path
        saved = read_json(path)
        self._dropped = {str(k): Tally(v) for k, v in _mapping(saved, "dropped").items()}
        self._refused = {str(k): Tally(v) for k, v in _mapping(saved, "refused").items()}
        self._cut = Tally(_mapping(saved, "cut"))
        self.polls = {"up": 0, "down": 0} | dict(_mapping(saved, "polls"))

    def dropped(self, reason: str, source: str, n: int = 1) -> None:
        self._dropped.setdefault(reason, Tally()).add(source, n)

    def refused(self, reason: str, source: str, n: int = 1) -> None:
        self._refused.setdefault(reason, Tally()).add(source, n)

    def cut(self, source: str) -> None:
        self._cut.add(source)

    def dropped_total(self) -> int:
        return sum(t.total for t in self._dropped.values())

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
            "polls": self.polls,
        }
        replace_json(self.path, document | more)


def _mapping(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name, {})
    return value if isinstance(value, Mapping) else {}
