"""The journal of a change: one JSON line an event, each on disk before the engine goes on.

First line `opened`, last line `closed`; a change without `closed` is open. Lines are masked by the
caller: no secret comes here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from network.errors import NotOnFile

Entry = Mapping[str, Any]  # one line of the journal; the file is the boundary


class Journal:
    """An open journal. Append from any thread; a line is whole or, after a crash, cut at its end."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        if not is_new:
            _cut_torn_line(path)
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        if is_new:
            _sync_folder(path.parent)

    def append(self, event: str, at: datetime, **fields: object) -> None:
        """Write one event and wait until it is on disk."""
        line = json.dumps({"event": event, "at": at.isoformat(), **fields}, ensure_ascii=False) + "\n"
        os.write(self._file, line.encode())  # one write to an O_APPEND file: threads cannot interleave
        os.fsync(self._file)

    def close(self) -> None:
        os.close(self._file)


def entries(path: Path) -> tuple[Entry, ...]:
    """The whole lines of a journal, oldest first; a line cut by a crash is left out."""
    raw = path.read_bytes()
    return tuple(json.loads(line) for line in raw[: raw.rfind(b"\n") + 1].splitlines())


def find(folder: Path, change_id: str) -> tuple[Entry, ...]:
    """The journal of `change_id`, which may be cut to its first characters. Raises NotOnFile."""
    hits = sorted(folder.glob(f"{change_id}*.jsonl")) if change_id.replace("-", "").isalnum() else []
    if len(hits) != 1:
        what = "is more than one change" if hits else "is no change on file"
        raise NotOnFile(f"{change_id!r} {what}", where=folder, fix="see the names of the files there")
    return entries(hits[0])


def open_changes(folder: Path) -> tuple[Path, ...]:
    """Journals that have no `closed` line, oldest first."""
    paths = sorted(folder.glob("*.jsonl"), key=lambda p: p.stat().st_mtime_ns)
    return tuple(p for p in paths if not is_closed(entries(p)))


def is_closed(journal: tuple[Entry, ...]) -> bool:
    return bool(journal) and journal[-1]["event"] == "closed"


def _cut_torn_line(path: Path) -> None:
    raw = path.read_bytes()
    whole = raw.rfind(b"\n") + 1
    if whole != len(raw):
        with path.open("r+b") as file:
            file.truncate(whole)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
