"""How many messages each receiver ever took, in shared memory that outlives the process.

A killed process had taken messages that were not yet fsynced. They are in no spool and in no
counter, but they were counted here the moment they were taken: what was taken and is neither
spooled nor counted as dropped is what the kill lost. To the message, but for the one datagram that the
system call was handing over at that moment.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Mapping
from pathlib import Path

_SLOT = struct.Struct("<24sQ")  # name of the receiver, messages
_COUNT, _COUNT_AT = struct.Struct("<Q"), 24
_SLOTS = 64


class Taken:
    """The file `taken` of a spool's directory; belongs to the spool's writer."""

    def __init__(self, directory: Path) -> None:
        """Raises OSError."""
        handle = os.open(directory / "taken", os.O_RDWR | os.O_CREAT, 0o640)
        try:
            os.posix_fallocate(handle, 0, _SLOT.size * _SLOTS)  # a full disk is told here, not by a SIGBUS
            self._memory = mmap.mmap(handle, _SLOT.size * _SLOTS)
        finally:
            os.close(handle)
        self._counts: dict[str, int] = {}
        self._places: dict[str, int] = {}
        for place in range(0, _SLOT.size * _SLOTS, _SLOT.size):
            name, count = _SLOT.unpack_from(self._memory, place)
            if name := name.rstrip(b"\0").decode("ascii", "replace"):
                self._counts[name], self._places[name] = count, place

    def add(self, receiver: str, n: int) -> None:
        """Count `n` messages as taken. Survives the end of the process, not that of the machine."""
        count = self._counts[receiver] = self._counts.get(receiver, 0) + n
        place = self._places.get(receiver)
        if place is None:
            place = self._place(receiver)
        _COUNT.pack_into(self._memory, place + _COUNT_AT, count)

    def lost(self, accounted: Mapping[str, int]) -> dict[str, int]:
        """By receiver, what was taken and is not accounted for; asked once, before anything is taken.

        accounted: by receiver, what the spool and the counters of drops hold. Where that is more than was
        taken (after a power cut, or in a directory of an older version), taken follows it.
        """
        lost = {}
        for receiver, n in accounted.items():
            missing = self._counts.get(receiver, 0) - n
            if missing > 0:
                lost[receiver] = missing
            elif missing < 0:
                self.add(receiver, -missing)
        return lost | {r: n for r, n in self._counts.items() if r not in accounted and n}

    def close(self) -> None:
        self._memory.close()

    def _place(self, receiver: str) -> int:
        """A slot of its own; receivers are few and named by us, so the last one is never needed."""
        place = self._places[receiver] = min(len(self._places), _SLOTS - 1) * _SLOT.size
        _SLOT.pack_into(self._memory, place, receiver.encode("ascii"), 0)
        return place
