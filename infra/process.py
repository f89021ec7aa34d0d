"""What /proc tells of a process."""

from __future__ import annotations

import os
import time
from pathlib import Path


def is_alive(pid: int) -> bool:
    """Whether the process runs: not gone, and not a zombie that only waits for its parent."""
    fields = _stat(pid)
    return bool(fields) and fields[0] not in ("Z", "X")


def name_of(pid: int) -> str:
    """The program's name as the kernel keeps it (15 characters), empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def age_s(pid: int) -> float | None:
    """Seconds since the process began, None when there is no such process."""
    fields = _stat(pid)
    if len(fields) < 20:
        return None
    return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the state on; the name before it may hold spaces and brackets."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
