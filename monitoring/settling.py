"""Dead letters that someone wants replayed or dropped, and those whose time is over, in batches for the worker.

A batch is done when the worker has committed what came of it. A letter is settled once: whatever is killed
between, the same request finds it settled the next time and passes it over.
"""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from monitoring.dead import DeadLetters, Letter, dead_letters, letters_of, record_of, requests
from monitoring.spool import SpoolRecord

REPLAY, DROP = "replay", "dropped"
EXPIRED = "expired"
BATCH = 1000
LOOK_S = 1.0
EXPIRE_S = 3600.0

log = logging.getLogger("canh.store")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A letter and what is to become of it: REPLAY, DROP or EXPIRED."""

    event_id: str
    record: SpoolRecord
    reason: str  # for which it is dead
    action: str
    is_edited: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Letters to settle, and what follows when they are committed."""

    letters: tuple[Asked, ...]
    done: Callable[[], None]


class Settling:
    """Looks for something to do now and then; `retention` None keeps letters for ever."""

    def __init__(self, dead: DeadLetters, data_dir: Path, retention: timedelta | None) -> None:
        self._dead, self._data_dir, self._retention = dead, data_dir, retention
        self._look_at = self._expire_at = 0.0
        self._work: Iterator[Batch] = iter(())

    def next_batch(self) -> Batch | None:
        """The next batch, None when there is nothing to do for now. Raises OSError."""
        batch = next(self._work, None)
        if batch is None and time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_S
            self._work = self._all()
            batch = next(self._work, None)
        return batch

    def _all(self) -> Iterator[Batch]:
        for path in requests(self._data_dir):
            yield from self._requested(path)
        if self._retention is not None and time.monotonic() >= self._expire_at:
            self._expire_at = time.monotonic() + EXPIRE_S
            before = f"{datetime.now(UTC) - self._retention:%Y-%m-%d}"
            for path in self._dead.files_before(before):
                yield from self._expired(path)

    def _requested(self, path: Path) -> Iterator[Batch]:
        wanted = _read(path)
        if wanted is None:
            log.error("%s is no request that can be understood: set aside", path)
            path.rename(path.with_suffix(".refused"))
            return
        letters = (_asked(x, wanted[x["event_id"]]) for x in dead_letters(self._data_dir, wanted))
        yield from _batches((x for x in letters if x is not None), last=lambda: path.unlink(missing_ok=True))

    def _expired(self, path: Path) -> Iterator[Batch]:
        own = {letter["event_id"] for letter in letters_of(path)}
        # A letter that was refused again later stands in a younger file too, and lives as long as that.
        younger = {x["event_id"] for p in path.parent.glob("*.ndjson") if p > path for x in letters_of(p)}
        letters = (_asked(x, {"action": EXPIRED}) for x in dead_letters(self._data_dir, own - younger))
        yield from _batches((x for x in letters if x is not None), last=lambda: path.unlink(missing_ok=True))


def _batches(letters: Iterator[Asked], *, last: Callable[[], None]) -> Iterator[Batch]:
    """At least one batch; `last` follows the last one."""
    batch = tuple(islice(letters, BATCH))
    while len(batch) == BATCH:
        following = tuple(islice(letters, BATCH))
        if not following:
            break
        yield Batch(letters=batch, done=lambda: None)
        batch = following
    yield Batch(letters=batch, done=last)


def _asked(letter: Letter, line: dict[str, Any]) -> Asked | None:
    edited = line.get("raw")
    try:
        record = record_of(letter, None if edited is None else base64.b64decode(edited))
    except (KeyError, ValueError, TypeError) as error:
        log.error("the dead letter %s cannot be read: %s", letter.get("event_id"), error)
        return None
    return Asked(
        event_id=letter["event_id"],
        record=record,
        reason=str(letter.get("reason", "")),
        action=line["action"],
        is_edited=edited is not None,
    )


def _read(path: Path) -> dict[str, dict[str, Any]] | None:
    """What is asked, by event id; None when it cannot be understood."""
    wanted: dict[str, dict[str, Any]] = {}
    try:
        for text in path.read_text("utf-8").splitlines():
            line = json.loads(text)
            action = {"replay": REPLAY, "drop": DROP}[line["action"]]
            wanted[str(line["event_id"])] = {"action": action, "raw": line.get("raw")}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return wanted
