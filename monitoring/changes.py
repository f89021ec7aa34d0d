"""Which changes were open on a device at a moment: the change journal of `network`, as files.

The journal says `opened` on disk before the first device is touched, so an event that a change
causes is always younger than that line. It is therefore enough to look at the files again when an
event is younger than the last look: none is missed, a replay of old events reads them once, and
the answer depends on the event's own time only. A look costs one stat of the folder, whose time
changes when a journal is made, and one of each journal that has no `closed` line yet.
"""

from __future__ import annotations

import json
import os
import time
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from monitoring.event import Value

AFTERGLOW = timedelta(seconds=5)  # what a change causes may be reported a little after it ended
LONGEST_SILENCE = timedelta(hours=2)  # a change whose journal says nothing for longer was killed
_SETTLED_NS = 1_000_000_000  # far more than the granularity of the times of files
_NOT_READ = (0, -1)
_NONE: dict[str, Value] = {"canh.change.state": "none"}
_FELT: dict[str, Value] = {"canh.change.in_radius": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A change as the journal tells it: what it may touch, from when until when.

    One that was killed and ended by a later command has two: in between nobody was at work.
    """

    change_id: str
    operator: str
    opened: datetime
    closed: datetime  # afterglow included; while open: its last line and the longest silence
    devices: frozenset[str]
    in_radius: frozenset[str]  # devices that may feel it


class Changes:
    """The journal below `folder`, as far as read. Plain values, so it can be pickled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._looked = datetime.min.replace(tzinfo=UTC)
        self._listed: tuple[int, int] | None = None  # inode and mtime_ns of the folder; None: list it again
        self._names: set[str] = set()
        self._growing: dict[str, tuple[int, int]] = {}  # no `closed` yet: name -> (mtime_ns, size) when read
        self._windows: dict[str, tuple[Window, ...]] = {}
        self._by_device: dict[str, list[Window]] = {}  # by `opened`
        self._longest = timedelta()

    def facts_of(self, device: str, when: datetime, received: datetime) -> dict[str, Value]:
        """canh.change.* of an event of `device` at `when`; `received` tells if a fresh look is due."""
        if received >= self._looked:
            self._look()
        windows = self._by_device.get(device)
        if windows is None:
            return _NONE
        felt: Window | None = None
        first = bisect_left(windows, when - self._longest, key=_opened)
        for window in windows[first : bisect_right(windows, when, key=_opened)]:
            if when <= window.closed:
                if device in window.devices:
                    return _facts(window, "open")
                felt = window
        if felt is None:
            return _NONE
        return _facts(felt, "none") | _FELT

    def _look(self) -> None:
        """Read what is new. A file that cannot be read or understood opens no window."""
        self._looked = datetime.now(UTC)
        is_news = False
        self._list()
        for name in tuple(self._growing):
            is_news |= self._read(name)
        if is_news:
            self._sort()

    def _list(self) -> None:
        """Find journals never seen. The folder is read only when something was made in it."""
        try:
            now, status = time.time_ns(), self._folder.stat()
            stamp = (status.st_ino, status.st_mtime_ns)
            if stamp == self._listed:
                return
            names = os.listdir(self._folder)  # noqa: PTH208  far faster than a Path for each of thousands
            new = {name for name in names if name.endswith(".jsonl")} - self._names
        except OSError:
            return
        # What is made in the same tick of the kernel's clock leaves the folder's time as it is: list it again.
        self._listed = stamp if now - status.st_mtime_ns > _SETTLED_NS else None
        self._names |= new
        self._growing |= dict.fromkeys(new, _NOT_READ)

    def _read(self, name: str) -> bool:
        """Read a journal without an end if it grew; whether that gave other windows."""
        try:
            file = self._folder / name
            status = file.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            if self._growing[name] == stamp:
                return False
            text = file.read_text("utf-8", "backslashreplace")
            self._growing[name] = stamp
            windows, is_closed = windows_of(text)
        except FileNotFoundError:  # a change that died before its first line was whole
            del self._growing[name]
            self._names.discard(name)
            return False
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
            return False
        if is_closed:
            del self._growing[name]
        before, self._windows[name] = self._windows.get(name, ()), windows
        return windows != before

    def _sort(self) -> None:
        self._by_device = {}
        windows = [w for of_one in self._windows.values() for w in of_one]
        for window in sorted(windows, key=lambda w: (w.opened, w.change_id)):
            for device in window.devices | window.in_radius:
                self._by_device.setdefault(device, []).append(window)
        self._longest = max((w.closed - w.opened for w in windows), default=timedelta())


def _facts(window: Window, state: str) -> dict[str, Value]:
    facts: dict[str, Value] = {"canh.change.state": state, "canh.change.id": window.change_id}
    return facts | {"canh.change.operator": window.operator} if window.operator else facts


def windows_of(journal: str) -> tuple[tuple[Window, ...], bool]:
    """The windows of one journal file, and whether it is closed. A torn last line is ignored.

    No window before its first whole line; a second one where it goes on after the longest silence.
    Raises ValueError, KeyError, TypeError, AttributeError or OverflowError when it cannot be understood.
    """
    opened: dict[str, Any] | None = None
    spans: list[tuple[datetime, datetime]] = []
    for line in journal.split("\n")[:-1]:
        entry = _entry(line)
        if opened is None and entry.get("event") == "opened":
            opened = entry
        if opened is None or "at" not in entry:
            continue
        at = _moment(entry["at"])
        is_closed = entry.get("event") == "closed"
        end = at + (AFTERGLOW if is_closed else LONGEST_SILENCE)
        if spans and at <= spans[-1][1]:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((at, end))
        if is_closed:
            return _windows(opened, spans), True
    return ((), False) if opened is None else (_windows(opened, spans), False)


def _windows(opened: dict[str, Any], spans: list[tuple[datetime, datetime]]) -> tuple[Window, ...]:
    radius = opened.get("blast_radius") or {}
    made = Window(
        change_id=str(opened["change_id"]),
        operator=str(opened.get("operator", "")),
        opened=_moment(opened["at"]),
        closed=_moment(opened["at"]),
        devices=frozenset(opened.get("devices", ())),
        in_radius=frozenset(radius.get("devices", ())),
    )
    return tuple(replace(made, opened=start, closed=end) for start, end in spans)


def _entry(line: str) -> dict[str, Any]:
    """A line of a journal; {} when it is none."""
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def _moment(text: str) -> datetime:
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _opened(window: Window) -> datetime:
    return window.opened
