"""`stats/detect.json`: what detection counts, kept over restarts, replaced once a second.

{"process": "detect", "pid", "at", "rules", "correlations", "refused_rules": [...], "octets_behind",
 "events", "matches", "alerts", <everything cut, late or let go by reason>, "trouble"}
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from soc.detection import GAUGES, Detection


class Stats:
    """Owned by the detector."""

    def __init__(self, path: Path, before: Mapping[str, int]) -> None:
        self._path, self._before = path, dict(before)
        self._saved_at = 0.0
        self._trouble = self._refused = ""

    def totals(self, detection: Detection) -> dict[str, int]:
        """Counters since the data directory was new."""
        return {
            name: count if name in GAUGES else count + self._before.get(name, 0)
            for name, count in detection.counters().items()
        }

    def trouble(self, text: str) -> None:
        self._trouble = text

    def refused(self, text: str) -> None:
        """Why changed rules or a changed inventory are not used."""
        self._refused = text

    def save(self, detection: Detection, octets_behind: int, *, force: bool = False) -> None:
        """At most once a second. A full disk is not detection's end: the file just grows old, which shows."""
        if not force and time.monotonic() - self._saved_at < 1.0:
            return
        self._saved_at = time.monotonic()
        document = {
            "process": "detect",
            "pid": os.getpid(),
            "at": datetime.now(UTC).isoformat(),
            "rules": len(detection.rules.rules),
            "correlations": len(detection.rules.correlations),
            "rules_digest": detection.rules.digest,
            "refused_rules": [str(refusal) for refusal in detection.rules.refused],
            "octets_behind": octets_behind,
            **self.totals(detection),
            "trouble": "; ".join(text for text in (self._trouble, self._refused) if text) or None,
        }
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._path.with_suffix(".json.new")
            fresh.write_text(json.dumps(document), "utf-8")
            fresh.replace(self._path)
        except OSError as error:
            self._trouble = f"stats cannot be written: {error}"
