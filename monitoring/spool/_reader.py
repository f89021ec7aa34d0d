"""Reading a spool, from any process, while it is written."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from monitoring.durable import read_json, replace_json
from monitoring.errors import SpoolError
from monitoring.spool._files import Segment, committed, segments, spool_id
from monitoring.spool._record import LARGEST, Damage, SpoolRecord, decode, microseconds, scan, seed_of
from monitoring.spool._tally import Arrivals

CHUNK = 1024 * 1024


def spools(data_dir: Path) -> tuple[Path, ...]:
    """The directories of the spools of a data directory, by name; empty before the first start."""
    return tuple(sorted(p.parent for p in (data_dir / "spool").glob("*/spool.json")))


class SpoolReader:
    """Reads records by position. Holds no lock and no open file between calls.

    damaged_octets: what this reader skipped because no valid record stood there.
    missing_octets: what was asked for and had been removed already.
    """

    def __init__(self, directory: Path) -> None:
        """Raises SpoolError when there is no spool in `directory`."""
        self.directory = directory
        self.id = spool_id(directory)
        self.damaged_octets = 0
        self.missing_octets = 0
        self._seed = seed_of(self.id)

    @property
    def start(self) -> int:
        """Position of the oldest record that is still there."""
        held = segments(self.directory)
        return held[0].base if held else 0

    @property
    def end(self) -> int:
        """Position behind the last fsynced record."""
        mark = committed(self.directory)
        if mark is not None:
            return mark
        held = segments(self.directory)
        return held[-1].base + held[-1].path.stat().st_size if held else 0

    def read(self, position: int, limit: int = 1000) -> tuple[list[SpoolRecord], int]:
        """Up to `limit` records from `position` on, and the position to go on from.

        There may be fewer than `limit` before the end; none means that it is reached for now. Damage
        on the way is skipped and counted.
        A position older than the oldest kept record goes on at that one.
        """
        end = self.end
        while position < end:
            held = segments(self.directory)
            index = max((i for i, s in enumerate(held) if s.base <= position), default=-1)
            if index < 0:
                if not held or held[0].base >= end:
                    return [], position
                self.missing_octets += held[0].base - position
                position = held[0].base
                continue
            until = min(end, held[index + 1].base) if index + 1 < len(held) else end
            records, moved = self._read(held[index], position, until, limit)
            if moved == position:  # its segment was removed this moment, or ends early: go on behind it
                self.missing_octets += until - position
                moved = until
            position = moved
            if records:
                return records, position
        return [], position

    def at(self, position: int) -> SpoolRecord:
        """The record at its position. Raises SpoolError when it is there no more."""
        records, _ = self.read(position, 1)
        if not records or records[0].position != position:
            raise SpoolError("a record is gone", where=f"{self.directory} at {position}")
        return records[0]

    def count(self, position: int, until: int) -> Arrivals:
        """How many records of each source begin in [position, until), their octets and when the last one came."""
        tally = Arrivals()
        while position < until:
            records, moved = self.read(position, 5000)
            for record in records:
                if record.position < until:
                    tally.came(record.source, 1, len(record.raw), microseconds(record.received))
            if moved == position:
                break
            position = moved
        return tally

    def commit(self, name: str, position: int) -> None:
        """Record that reader `name` needs nothing before `position` any more. Raises OSError."""
        folder = self.directory / "readers"
        folder.mkdir(exist_ok=True)
        replace_json(folder / f"{name}.json", {"position": position, "at": datetime.now(UTC).isoformat()})

    def committed(self, name: str) -> int:
        """What `name` committed last; 0 when it never did."""
        return int(read_json(self.directory / "readers" / f"{name}.json").get("position", 0))

    def _read(self, segment: Segment, position: int, until: int, limit: int) -> tuple[list[SpoolRecord], int]:
        size = CHUNK
        while True:
            wanted = min(size, until - position)
            buffer = _pread(segment.path, position - segment.base, wanted)
            is_last = wanted == until - position
            records: list[SpoolRecord] = []
            moved = position
            for where in scan(buffer, self._seed, is_last=is_last):
                moved = position + where.end
                if isinstance(where, Damage):
                    self.damaged_octets += where.end - where.start
                    continue
                records.append(decode(buffer, where, position, self.id))
                if len(records) >= limit:
                    break
            if moved > position or is_last or size > 2 * LARGEST:
                return records, moved
            size *= 4  # one record, or one damaged stretch, longer than the chunk


def _pread(path: Path, offset: int, size: int) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return b""
    try:
        return os.pread(handle, size, offset)
    finally:
        os.close(handle)
