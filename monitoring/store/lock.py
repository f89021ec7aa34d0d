"""One writer for a data directory, whichever store it writes to."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import IO

from monitoring.errors import StoreError


def locked(folder: Path) -> IO[str]:
    """The held lock of a store's folder, made if need be. Raises StoreError when another process holds it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"the store cannot be written: {error.strerror}", where=folder, fix="check permissions and free space"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise StoreError(
            "another process writes this store", where=folder, fix="stop the other `canh run` or use another --data"
        ) from error
    lock.seek(0)
    lock.truncate()
    lock.write(f"{os.getpid()} {time.time():.0f}\n")
    lock.flush()
    return lock
