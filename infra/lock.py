"""One command at a time on a lab. The kernel holds the lock, so a killed owner can never leave it behind.

The descriptor is handed down to `pulumi` and its plugins: as long as one of them still works for a
command that was killed, the lab is busy; when the last of them has ended, it is free.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from infra.errors import LabBusy
from infra.process import is_alive

PATIENCE_S = 30.0  # children of a killed command end within a second or two; a live owner is no wait at all


RUN = Path("/run")


@contextlib.contextmanager
def held(lab: str, progress: Callable[[str], None], folder: Path = RUN) -> Iterator[int]:
    """Hold the lab; gives the descriptor to hand down. Raises LabBusy while a live command holds it."""
    file = folder / f"canh-{lab}.lock"
    descriptor = _acquire(file, lab, progress)
    try:
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}".encode(), 0)
        yield descriptor
    finally:
        file.unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(file: Path, lab: str, progress: Callable[[str], None]) -> int:
    deadline = time.monotonic() + PATIENCE_S
    told = False
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_linked(descriptor, file):
                return descriptor
            os.close(descriptor)  # its owner removed it between our opening and our locking
            continue
        except BlockingIOError:
            owner = os.pread(descriptor, 16, 0).decode() or "0"
            os.close(descriptor)
        if is_alive(int(owner)) or time.monotonic() > deadline:
            raise LabBusy(
                f"another command (process {owner}) is at work on lab {lab}",
                where=file,
                fix="wait for it to end, or use another lab id in CANH_LAB",
            )
        if not told:
            progress("waiting for what is left of a killed command to end")
            told = True
        time.sleep(0.1)


def _is_linked(descriptor: int, file: Path) -> bool:
    try:
        return os.fstat(descriptor).st_ino == file.stat().st_ino
    except FileNotFoundError:
        return False
