"""One change to a device at a time, over processes.

The lock is `flock` on `<data>/locks/<device>.lock`: the kernel lets go of it when its process dies,
however it dies, so a lock that can be taken proves that no living change holds the device. The file
says who holds it, for the message only.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from network.errors import DeviceBusy


@contextmanager
def locked(data_dir: Path, devices: Iterable[str], *, change_id: str) -> Iterator[None]:
    """Hold every one of `devices`, or none. Raises DeviceBusy at once when one is held."""
    folder = data_dir / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        for name in sorted(set(devices)):
            handle = os.open(folder / f"{name}.lock", os.O_RDWR | os.O_CREAT, 0o640)
            held.callback(os.close, handle)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                holder = os.pread(handle, 200, 0).decode(errors="replace").strip()
                raise DeviceBusy(
                    f"{name} is being changed by {holder or 'another process'}",
                    where=folder / f"{name}.lock",
                    fix="wait until that change ends",
                ) from None
            os.truncate(handle, 0)
            os.pwrite(handle, f"process {os.getpid()} (change {change_id})\n".encode(), 0)
        yield
