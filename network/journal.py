"""The journal of a change: one JSON line an event, each on disk before the engine goes on.

First line `opened`, last line `closed`; a change without `closed` is open. Lines are masked by the
caller: no secret comes here.
"""

from __future__ import annotations

import errno
import json
import os
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from network.errors import NetworkError, NotOnFile

Entry = Mapping[str, Any]  # one line of the journal; the file is the boundary


class Journal:
    """An open journal. Append from any thread; a line is whole or, after a crash, cut at its end."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        is_new = not path.exists()
        if not is_new:
            _cut_torn_line(path)
        self.path = path
        self._one_at_a_time = threading.Lock()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        if is_new:
            sync_folder(path.parent)

    def append(self, event: str, at: datetime, **fields: object) -> None:
        """Write one event and wait until it is on disk. Raises OSError when it is not; then no part of it is there."""
        line = json.dumps({"event": event, "at": at.isoformat(), **fields}, ensure_ascii=False) + "\n"
        content = line.encode()
        with self._one_at_a_time:
            before = os.fstat(self._file).st_size
            if os.write(self._file, content) != len(content):  # what a disk does with its last free octets
                os.ftruncate(self._file, before)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            os.fsync(self._file)

    def close(self) -> None:
        os.close(self._file)


def entries(path: Path) -> tuple[Entry, ...]:
    """The whole lines of a journal, oldest first; a line cut by a crash is left out.

    Raises NetworkError at one that is whole and no entry.
    """
    raw = path.read_bytes()
    return tuple(_entry(line, path, number) for number, line in enumerate(raw.split(b"\n")[:-1], start=1))


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


def sync_folder(folder: Path) -> None:
    """Wait until the names in `folder` are on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _entry(line: bytes, path: Path, number: int) -> Entry:
    try:
        entry: Entry = json.loads(line)
    except ValueError as error:
        raise NetworkError(
            "a line of a journal cannot be read",
            where=f"{path}:{number}",
            fix="look at the devices the journal names, then correct or remove the line",
        ) from error
    return entry


def _cut_torn_line(path: Path) -> None:
    raw = path.read_bytes()
    whole = raw.rfind(b"\n") + 1
    if whole != len(raw):
        with path.open("r+b") as file:
            file.truncate(whole)
