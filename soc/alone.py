"""One of a kind on a data directory: a lock that ends with the process that holds it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from soc._database import make_file
from soc.errors import SocError


def locked(path: Path, what: str, error: type[SocError]) -> int:
    """The lock, held until this descriptor is closed. Raises `error` when another holds it, or it cannot be made."""
    try:
        make_file(path)
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as fault:
        raise error(
            f"the data directory cannot be written: {fault.strerror}",
            where=path.parent,
            fix="make it writable for the user that runs canh, and its file system not read-only",
        ) from fault
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as fault:
        os.close(handle)
        fix = "stop it, or start this one with --data"
        raise error(f"another {what} works on this data directory", where=path, fix=fix) from fault
    return handle
