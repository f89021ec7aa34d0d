"""Which changes were open on a device at a moment: the change journal of `network`, as files.

The journal says `opened` on disk before the first device is touched, so an event that a change
causes is always younger than that line. It is therefore enough to look at the files again when an
event is younger than the last look: none is missed, a replay of old events reads them once, and
the answer depends on the event's own time only.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from monitoring.event import Value

AFTERGLOW = timedelta(seconds=5)  # what a change causes may be reported a little after it ended
_NEVER = datetime.max.replace(tzinfo=UTC)
_NONE: dict[str, Value] = {"canh.change.state": "none"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A change as the journal tells it: what it may touch, from when until when."""

    change_id: str
    opened: datetime
    closed: datetime  # afterglow included; far future while open
    devices: frozenset[str]
    in_radius: frozenset[str]  # devices that may feel it


class Changes:
    """The journal below `folder`, as far as read. Plain values, so it can be pickled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._looked = datetime.min.replace(tzinfo=UTC)
        self._files: dict[str, tuple[int, int]] = {}  # name -> (mtime_ns, size) when read
        self._windows: dict[str, Window] = {}
        self._by_device: dict[str, list[Window]] = {}

    def facts_of(self, device: str, when: datetime, received: datetime) -> dict[str, Value]:
        """canh.change.* of an event of `device` at `when`; `received` tells if a fresh look is due."""
        if received >= self._looked:
            self._look()
        felt: Window | None = None
        for window in self._by_device.get(device, ()):
            if window.opened <= when <= window.closed:
                if device in window.devices:
                    return {"canh.change.state": "open", "canh.change.id": window.change_id}
                felt = window
        if felt is None:
            return _NONE
        return {"canh.change.state": "none", "canh.change.in_radius": True, "canh.change.id": felt.change_id}

    def _look(self) -> None:
        """Read what is new. A file that cannot be read or understood opens no window."""
        self._looked = datetime.now(UTC)
        is_news = False
        for file in sorted(self._folder.glob("*.jsonl")):
            try:
                status = file.stat()
                stamp = (status.st_mtime_ns, status.st_size)
                if self._files.get(file.name) == stamp:
                    continue
                self._files[file.name] = stamp
                window = window_of(file.read_text("utf-8"))
            except (OSError, ValueError, KeyError, TypeError, AttributeError):
                continue
            if window is not None:
                self._windows[file.name] = window
                is_news = True
        if is_news:
            self._by_device = {}
            for window in self._windows.values():
                for device in window.devices | window.in_radius:
                    self._by_device.setdefault(device, []).append(window)


def window_of(journal: str) -> Window | None:
    """The window of one journal file; None before its first whole line. A torn last line is ignored."""
    opened: dict[str, Any] | None = None
    closed = _NEVER
    for line in journal.split("\n")[:-1]:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if not isinstance(entry, dict):
            continue
        if entry.get("event") == "opened":
            opened = entry
        elif entry.get("event") == "closed":
            closed = _moment(entry["at"]) + AFTERGLOW
    if opened is None:
        return None
    radius = opened.get("blast_radius") or {}
    return Window(
        change_id=str(opened["change_id"]),
        opened=_moment(opened["at"]),
        closed=closed,
        devices=frozenset(opened.get("devices", ())),
        in_radius=frozenset(radius.get("devices", ())),
    )


def _moment(text: str) -> datetime:
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)
