"""When a file has changed: whoever serves TLS reads its keys again then."""

from __future__ import annotations

from pathlib import Path


def stamp_of(path: Path) -> tuple[int, int]:
    """What changes when a file is written anew or replaced; the same for one that is not there."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0)
    return (found.st_mtime_ns, found.st_ino)
