"""One control group a machine: what holds its processes together, counts its memory and finds them to end them.

Machines booted with `--keep-unit` stay in the group they are started in, and their systemd
takes that group for the root of its own tree. Two machines in one group would therefore mix
their units; so each gets `canh/<lab>/<name>` in every hierarchy the host has (v1, hybrid or v2).
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from infra.process import is_alive

ROOT = Path("/sys/fs/cgroup")
TOP = "canh"
# systemd and unified hold the machine's own tree; memory and pids are for counting.
HIERARCHIES = ("systemd", "unified", "memory", "pids")
CONTROLLERS = "+memory +pids"
TRIES = 10_000


def hierarchies() -> tuple[Path, ...]:
    """Where groups are made: the one tree of cgroup v2, else the mounted v1 hierarchies we use."""
    if (ROOT / "cgroup.controllers").exists():
        return (ROOT,)
    return tuple(ROOT / name for name in HIERARCHIES if (ROOT / name / "cgroup.procs").exists())


def ensure(lab: str, name: str) -> tuple[Path, ...]:
    """The `cgroup.procs` files of the group; a process that writes its pid to each belongs to it."""
    return tuple(_ensure_in(root, lab, name) / "cgroup.procs" for root in hierarchies())


def _ensure_in(root: Path, lab: str, name: str) -> Path:
    group = root / TOP / lab / name
    for _ in range(TRIES):
        with contextlib.suppress(
            FileNotFoundError, FileExistsError
        ):  # who removes another group takes its empty parents with it
            for parent in (root / TOP, root / TOP / lab):
                parent.mkdir(exist_ok=True)
                if (parent / "cgroup.subtree_control").exists():
                    with contextlib.suppress(OSError):  # counting is a comfort: not every host delegates it
                        (parent / "cgroup.subtree_control").write_text(CONTROLLERS)
            group.mkdir(exist_ok=True)
            return group
    raise FileNotFoundError(f"{group} is removed again as often as it is made")


def processes(lab: str, name: str = "") -> frozenset[int]:
    """Process ids in the group and below it; without `name`, of the whole lab."""
    found: set[int] = set()
    for root in hierarchies():
        for file in _files(root / TOP / lab / name):
            with contextlib.suppress(OSError):
                found.update(int(pid) for pid in file.read_text().split())
    return frozenset(found - {0})


def groups(lab: str) -> frozenset[str]:
    """Names of the lab's groups."""
    folders = (root / TOP / lab for root in hierarchies())
    return frozenset(p.name for folder in folders if folder.is_dir() for p in folder.iterdir() if p.is_dir())


def memory_octets(lab: str, name: str) -> int | None:
    """Anonymous memory of the group's processes, None when the host does not count it."""
    for root in hierarchies():
        with contextlib.suppress(OSError):
            stat = dict(line.split() for line in (root / TOP / lab / name / "memory.stat").read_text().splitlines())
            return int(stat.get("total_rss", stat.get("anon", 0)))
    return None


def kill(lab: str, name: str = "", *, patience_s: float = 10) -> bool:
    """End every process of the group by force and wait until none is left; False when some remain."""
    deadline = time.monotonic() + patience_s
    while pids := {pid for pid in processes(lab, name) if is_alive(pid)}:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def remove(lab: str, name: str = "") -> None:
    """Remove the emptied group and its children, then the parents nobody else uses."""
    for root in hierarchies():
        top = root / TOP / lab / name
        for folder in sorted((p for p in top.rglob("*") if p.is_dir()), key=lambda p: -len(p.parts)):
            _rmdir(folder)
        for folder in (top, root / TOP / lab, root / TOP):
            _rmdir(folder)


def _files(top: Path) -> Iterator[Path]:
    yield top / "cgroup.procs"
    with contextlib.suppress(OSError):  # groups come and go while we look
        yield from top.rglob("cgroup.procs")


def _rmdir(folder: Path) -> None:
    """A group can be removed only when empty; the kernel may need a moment after the last process."""
    for _ in range(25):
        try:
            folder.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            if any(p.is_dir() for p in folder.iterdir()):
                return
            time.sleep(0.02)
