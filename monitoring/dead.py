"""Dead letters: what was received and could not be stored, kept with its reason.

`<data>/dead/<day>.ndjson`, one object a line: {"event_id", "spool", "position", "source",
"reason", "detail", "at", "event": the flat event or null, "raw": base64}. The file's length is part of
the store's checkpoint, so lines whose events were not committed are taken back after a crash.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from monitoring.event import Event
from monitoring.spool import SpoolRecord


class DeadLetters:
    """Appends; `mark` goes into the checkpoint, `restore` takes back what came after it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lines: list[str] = []

    def add(self, record: SpoolRecord, event: Event | None, reason: str) -> None:
        """Note one; on disk only with the next `mark`. reason: "word" or "word: detail"."""
        word, _, detail = reason.partition(": ")
        letter = {
            "event_id": str(record.event_id),
            "spool": str(record.spool_id),
            "position": record.position,
            "source": record.source,
            "reason": word,
            "detail": detail,
            "at": datetime.now(UTC).isoformat(),
            "event": None if event is None else dict(event.fields),
            "raw": base64.b64encode(record.raw).decode("ascii"),
        }
        self._lines.append(json.dumps(letter, ensure_ascii=False, default=str) + "\n")

    def mark(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """Write what was noted, durably; returns what to put into the checkpoint. Raises OSError."""
        if not self._lines:
            return dict(before)
        self._directory.mkdir(parents=True, exist_ok=True)
        path = self._directory / f"{datetime.now(UTC):%Y-%m-%d}.ndjson"
        with path.open("ab") as file:
            file.write("".join(self._lines).encode())
            file.flush()
            os.fsync(file.fileno())
            size = file.tell()
        self._lines.clear()
        return {"file": path.name, "size": size}

    def restore(self, mark: Mapping[str, Any]) -> None:
        """Take back what was written after `mark` was made. Raises OSError.

        Without a mark the store is a new one: letters of an older one are set aside, not removed.
        """
        self._lines.clear()
        name, size = str(mark.get("file", "")), int(mark.get("size", 0))
        for path in sorted(self._directory.glob("*.ndjson")):
            if not name:
                path.rename(path.with_name(f"{path.name}.before-new-store"))
            elif path.name > name:
                path.unlink()
            elif path.name == name and path.stat().st_size > size:
                os.truncate(path, size)


def dead_letters(data_dir: Path) -> Iterator[dict[str, Any]]:
    """Every dead letter, oldest first; a line that is being written is left out."""
    for path in sorted((data_dir / "dead").glob("*.ndjson")):
        with path.open(encoding="utf-8") as file:
            for line in file:
                if line.endswith("\n"):
                    yield json.loads(line)
