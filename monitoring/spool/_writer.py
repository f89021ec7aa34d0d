"""Writing a spool: one process, one lock, everything fsynced before `append` returns."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TypedDict
from uuid import UUID, uuid4

from monitoring.durable import read_json, replace_json, sync_directory
from monitoring.errors import SpoolError, SpoolFull, SpoolLocked, SpoolUnwritable
from monitoring.spool._files import (
    COMMITTED,
    committed,
    segment_path,
    segments,
    spool_id,
)
from monitoring.spool._record import Damage, Received, arrival_at, encode, scan, seed_of
from monitoring.spool._tally import Arrivals


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolLimits:
    """How much a spool may hold."""

    segment_octets: int = 32 * 1024 * 1024  # an eighth of the budget at most: only whole segments are removed
    budget_octets: int = 8 * 1024 * 1024 * 1024  # above it nothing is taken until readers commit
    keep_consumed_s: float = 3600.0  # a consumed segment stays this long, for a look back


class SpoolCounts(TypedDict):
    id: str  # of the spool
    position: int
    received: dict[str, int]  # by source, of everything before that position
    octets: dict[str, int]  # by source, of their messages
    last_us: dict[str, int]  # by source, when the last one was received, microseconds since 1970 UTC


class Spool:
    """The one writer. Its owner appends from one thread; `counts` may be asked from another.

    torn_octets: cut off the end at opening, the rest of a write that was interrupted.
    damaged_octets: inside the last segment at opening, kept but unreadable.
    """

    def __init__(self, directory: Path, limits: SpoolLimits | None = None) -> None:
        """Open or make the spool. Raises SpoolLocked, SpoolUnwritable, SpoolFull, SpoolError."""
        self.directory = directory
        self.limits = limits or SpoolLimits()
        self._longest_segment = min(self.limits.segment_octets, self.limits.budget_octets // 8)
        self.torn_octets = 0
        self.damaged_octets = 0
        self.received = Arrivals()
        self._counting = Lock()
        self._segment = -1
        try:
            self._open()
        except OSError as error:
            raise write_failure(error, directory) from error

    def append(self, batch: Sequence[Received]) -> int:
        """Put the batch to rest; when this returns it is on the disk. Returns the position behind it.

        Raises SpoolFull or SpoolUnwritable, and then nothing of the batch is in the spool: the
        caller keeps it or counts it as dropped, and may try again.
        """
        if not batch:
            return self.end
        seed = self._seed
        data = b"".join([encode(record, seed) for record in batch])
        try:
            if self._broken or self.end - self._base >= self._longest_segment:
                self._rotate()
            if self.held_octets + len(data) > self.limits.budget_octets:
                self._remove_consumed()
                self._check_budget(len(data))
            self._write(data)
        except OSError as error:
            raise write_failure(error, self.directory) from error
        with self._counting:
            self.end += len(data)
            self.received.add_all(batch)
        return self.end

    def counts(self) -> SpoolCounts:
        """How much was ever received, and up to which position; from any thread."""
        with self._counting:
            came = self.received
            return {
                "id": str(self.id),
                "position": self.end,
                "received": dict(came.counts),
                "octets": dict(came.octets),
                "last_us": dict(came.last_us),
            }

    def used_share(self) -> float:
        """How much of what it may hold it holds, 0.0 to 1.0; what the file system has left may be less than the budget.

        From any thread. Raises SpoolUnwritable.
        """
        held = self.held_octets
        try:
            disk = os.statvfs(self.directory)
        except OSError as error:
            raise write_failure(error, self.directory) from error
        room = min(self.limits.budget_octets, held + disk.f_bavail * disk.f_frsize)
        return min(1.0, held / room) if room > 0 else 1.0

    def remove_consumed(self) -> None:
        """Remove what every reader has done with; for a quiet moment now and then."""
        try:
            self._remove_consumed()
        except OSError as error:
            raise write_failure(error, self.directory) from error

    def close(self) -> None:
        """Keep the counts, let go of the lock. What was appended is safe without it."""
        if self._segment < 0:
            return
        self._save_counts()
        for handle in (self._segment, self._mark, self._lock):
            os.close(handle)
        self._segment = -1

    # opening

    def _open(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._lock = locked(self.directory)
        try:
            self.id = _made_id(self.directory)
            self._seed = seed_of(self.id)
            held = segments(self.directory)
            self._base = held[-1].base if held else 0
            self._bases = [s.base for s in held] or [0]
            self.end = self._recover() if held else 0
            self._segment = os.open(segment_path(self.directory, self._base), os.O_RDWR | os.O_CREAT, 0o640)
            os.ftruncate(self._segment, self.end - self._base)
            os.fsync(self._segment)
            self._mark = os.open(self.directory / "committed", os.O_RDWR | os.O_CREAT, 0o640)
            os.pwrite(self._mark, COMMITTED.pack(self.end), 0)
            self._broken = False
            (self.directory / "readers").mkdir(exist_ok=True)
            self._save_counts()
            sync_directory(self.directory)
        except BaseException:
            os.close(self._lock)
            raise

    def _recover(self) -> int:
        """Read the last segment, count what the saved counts do not cover; returns the true end."""
        saved = read_json(self.directory / "counts.json")
        counted_to = int(saved.get("position", 0))
        self.received = Arrivals(saved.get("received"), saved.get("octets"), saved.get("last_us"))
        end = self._base
        followers = (*self._bases[1:], None)
        for base, follower in zip(self._bases, followers, strict=True):
            if follower is not None and follower <= counted_to:
                continue
            buffer = segment_path(self.directory, base).read_bytes()
            damage: Damage | None = None
            for where in scan(buffer, self._seed, is_last=True):
                if isinstance(where, Damage):
                    damage = where
                    continue
                if damage is not None:
                    self.damaged_octets += damage.end - damage.start
                    damage = None
                end = base + where.end
                if base + where.start >= counted_to:
                    source, octets, received_us = arrival_at(buffer, where)
                    self.received.came(source, 1, octets, received_us)
            if damage is not None and base == self._base:
                self.torn_octets += damage.end - damage.start
        return end

    def _save_counts(self) -> None:
        """A short cut for the next opening; without it the segments themselves are counted."""
        with suppress(OSError):
            replace_json(self.directory / "counts.json", self.counts(), durable=True)

    # writing

    def _write(self, data: bytes) -> None:
        """All of it, fsync, then the mark that shows it; on failure the segment is as long as before."""
        offset = self.end - self._base
        view = memoryview(data)
        try:
            while view:
                written = os.pwrite(self._segment, view, offset)
                view, offset = view[written:], offset + written
            os.fdatasync(self._segment)
            os.pwrite(self._mark, COMMITTED.pack(self.end + len(data)), 0)
        except OSError:
            self._take_back()
            raise

    def _take_back(self) -> None:
        """No half batch stays: it would come to life if a later one ended where a record of it begins."""
        try:
            os.ftruncate(self._segment, self.end - self._base)
        except OSError:
            self._broken = True

    def _rotate(self) -> None:
        if self._broken:
            os.ftruncate(self._segment, self.end - self._base)
            self._broken = False
        if self.end == self._base:
            return
        handle = os.open(segment_path(self.directory, self.end), os.O_RDWR | os.O_CREAT, 0o640)
        os.close(self._segment)
        self._segment, self._base = handle, self.end
        self._bases.append(self.end)
        sync_directory(self.directory)
        self._save_counts()
        self._remove_consumed()

    # space

    @property
    def held_octets(self) -> int:
        """What its segments hold."""
        return self.end - self._bases[0]

    def _consumed(self) -> tuple[int, str]:
        """The position every registered reader has passed, and the reader that is furthest behind."""
        readers = [
            (int(read_json(p).get("position", 0)), p.stem) for p in sorted((self.directory / "readers").glob("*.json"))
        ]
        return min(readers, default=(0, ""))

    def _remove_consumed(self) -> None:
        consumed, _ = self._consumed()
        now = time.time()
        while len(self._bases) > 1 and self._bases[1] <= consumed:
            path = segment_path(self.directory, self._bases[0])
            over = self.held_octets > self.limits.budget_octets // 2
            if path.exists() and not over and now - path.stat().st_mtime < self.limits.keep_consumed_s:
                return
            path.unlink(missing_ok=True)
            del self._bases[0]

    def _check_budget(self, octets: int) -> None:
        if self.held_octets + octets <= self.limits.budget_octets:
            return
        _, slowest = self._consumed()
        blame = f"reader {slowest!r} is furthest behind" if slowest else "nobody reads it"
        raise SpoolFull(
            f"the spool has reached its budget of {self.limits.budget_octets} octets; {blame}",
            where=self.directory,
            fix="let that reader catch up (see canh stats), or give the spool a larger budget",
        )


def write_failure(error: OSError, directory: Path) -> SpoolError:
    """What an operating system error means for a spool."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return SpoolFull(
            "no space left for the spool",
            where=directory,
            fix="free space on that file system; collecting goes on by itself then",
        )
    return SpoolUnwritable(
        f"the spool cannot be written: {os.strerror(error.errno or 0)}",
        where=directory,
        fix="make the directory writable for the user that runs canh (and its file system not read-only)",
    )


def locked(directory: Path) -> int:
    """The lock file, locked and holding our pid."""
    handle = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        owner = os.pread(handle, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(handle)
        raise SpoolLocked(
            f"another collector (process {owner}) writes this spool",
            where=directory,
            fix="stop it, or start this one with another --data",
        ) from error
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
    return handle


def _made_id(directory: Path) -> UUID:
    """The spool's id; drawn once, when the directory is new."""
    if not (directory / "spool.json").exists():
        if segments(directory) or committed(directory) is not None:
            raise SpoolError(
                "there are messages here, but the spool's id is lost",
                where=directory / "spool.json",
                fix="restore it from a backup; without it move the directory away, a new spool is made",
            )
        replace_json(directory / "spool.json", {"format": 1, "id": str(uuid4())}, durable=True)
    return spool_id(directory)
