"""Changes of ours as messages: `change-opened`, `change-closed`, and `change-overrun` for one that nobody ends.

The journal of `network` (`<data>/changes/*.jsonl`) is read, never written. Of a journal that has its end and was told
nothing is remembered but the time of the youngest; one that cannot be understood is left to those who own it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from monitoring.changes import LONGEST_SILENCE
from monitoring.spool import Received
from monitoring.usage import message

_MOST_DEVICES = 20  # named in a message; how many there are is told


class ChangeWatch:
    """Owned by `health`. `saved`: what `document` gave; None at the first start, when what is closed is no news."""

    def __init__(self, folder: Path, saved: Mapping[str, Any] | None) -> None:
        self._folder = folder
        self._is_first = saved is None
        self._open: dict[str, str] = dict((saved or {}).get("open", {}))  # name -> opened | overrun
        self._youngest_ns = int((saved or {}).get("youngest_ns", 0))
        # Those that were told and are as young as the youngest, or younger than it can be: the clock was ahead then.
        told = (saved or {}).get("told_young", {})
        self._told_young: dict[str, int] = (
            dict(told) if isinstance(told, dict) else dict.fromkeys(told, self._youngest_ns)
        )

    def document(self) -> dict[str, Any]:
        return {"open": self._open, "youngest_ns": self._youngest_ns, "told_young": self._told_young}

    def look(self, now: datetime) -> Iterator[Received]:
        """What became of the journals since the last look. Raises OSError."""
        if not self._folder.is_dir():
            self._is_first = False
            return
        found = {path.name: path.stat().st_mtime_ns for path in self._folder.glob("*.jsonl")}
        now_ns = round(now.timestamp() * 1e9)
        known_ns = min(self._youngest_ns, now_ns)
        for name in sorted(found, key=lambda one: (found[one], one)):
            is_news = found[name] >= known_ns and self._told_young.get(name) != found[name]
            if is_news or name in self._open:
                yield from self._one(name, now)
        self._open = {name: state for name, state in self._open.items() if name in found}
        self._youngest_ns = min(max(found.values(), default=known_ns), now_ns)
        self._told_young = {
            name: at for name, at in found.items() if at >= self._youngest_ns and name not in self._open
        }
        self._is_first = False

    def _one(self, name: str, now: datetime) -> Iterator[Received]:
        told = _told(self._folder / name)
        if told is None:
            return
        opened, last = told
        if last.get("event") == "closed":
            was_open = self._open.pop(name, "")
            if not self._is_first:
                if not was_open:
                    yield message("change-opened", _facts(opened))
                yield message("change-closed", {**_facts(opened), "result": str(last.get("result", ""))})
            return
        if name not in self._open:
            self._open[name] = "opened"
            if not self._is_first:
                yield message("change-opened", _facts(opened))
        silent = now - _moment(last.get("at", opened["at"]))
        if self._open[name] != "overrun" and silent > LONGEST_SILENCE:
            self._open[name] = "overrun"
            yield message("change-overrun", {**_facts(opened), "silent_s": round(silent.total_seconds())})


def _told(path: Path) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The first line and the last whole one; None for what is no journal, or not yet."""
    try:
        lines = path.read_text("utf-8", "backslashreplace").split("\n")[:-1]
        first, last = json.loads(lines[0]), json.loads(lines[-1])
        _moment(first["at"])
        return (first, last) if first["event"] == "opened" and isinstance(last, dict) else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _facts(opened: Mapping[str, Any]) -> dict[str, str | int | float]:
    devices = [str(one) for one in opened.get("devices") or ()]
    return {
        "change_id": str(opened.get("change_id", "")),
        "operator": str(opened.get("operator", "")),
        "devices": ", ".join(devices[:_MOST_DEVICES]),
        "device_count": len(devices),
    }


def _moment(text: object) -> datetime:
    when = datetime.fromisoformat(str(text))
    return when if when.tzinfo else when.replace(tzinfo=UTC)
