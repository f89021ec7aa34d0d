"""What detection is made of, on disk: rules, filters, inventory. Loaded at start, and again when a file changes.

A change is taken when it stands still, so that half a rule is not read; one that cannot be used
leaves what runs as it is and is told until it is mended.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

from soc.looks import Parsing
from soc.sigma.loader import RuleSet

_READ = (".yml", ".yaml")
Fingerprint = frozenset[tuple[str, int, int, int]]


class Loaded(NamedTuple):
    """What a detector runs on."""

    rules: RuleSet
    parsing: Parsing


class Inputs:
    """The files and what was made of them last. `load` and `places` are told how, so nothing here knows a province."""

    def __init__(
        self,
        places: Callable[[], Iterable[Path]],
        load: Callable[[], Loaded],
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ) -> None:
        """places: folders and files that are watched. A day that begins counts as a change, because filters expire: in
        UTC, as where they are read, else the change would be seen while the filter still holds.
        """
        self._places, self._load, self._today = places, load, today
        self._taken = self._seen = self._look()
        self.trouble = ""

    def changed(self) -> Loaded | None:
        """What the files say now, when that is new and has stood still since the last call."""
        now = self._look()
        before, self._seen = self._seen, now
        if now == self._taken or now != before:
            return None
        self._taken = now
        try:
            loaded = self._load()
        except Exception as error:  # a defect that one file shows must not end what runs without it
            self.trouble = f"the rules or the inventory changed and cannot be used: {error}"
            return None
        self.trouble = ""
        return loaded

    def _look(self) -> Fingerprint:
        return fingerprint(self._places()) | {(self._today().isoformat(), 0, 0, 0)}


def fingerprint(places: Iterable[Path]) -> Fingerprint:
    """What changes when a YAML file of these folders does, or comes, or goes."""
    return frozenset(_fact(path) for place in places for path in _files(place))


def _files(place: Path) -> Iterator[os.DirEntry[str] | Path]:
    """The YAML files of a place, without the cases of rules."""
    if not place.is_dir():
        yield place
        return
    waiting = [str(place)]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:  # gone since it was listed
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "tests":
                    waiting.append(entry.path)
            elif entry.name.endswith(_READ):
                yield entry


def _fact(file: os.DirEntry[str] | Path) -> tuple[str, int, int, int]:
    try:
        found = file.stat()
    except OSError:
        return str(file), 0, 0, 0
    return os.fspath(file), found.st_mtime_ns, found.st_size, found.st_ino
