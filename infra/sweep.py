"""Removes what carries a lab's id, whatever state it was left in: the last word of taking a lab down.

It needs no record of what was made. Only names that start with the lab's own prefix, its own
control group and its own folder are touched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from infra import cgroup, netns, overlay
from infra.command import run
from infra.errors import LabError
from infra.names import LABS, LabNames

NSPAWN_PROPAGATE = Path("/run/systemd/nspawn/propagate")
INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
INOTIFY_NEEDED = 2048  # a booted machine holds 6 to 10 of root's, and Debian grants 128 in all
INOTIFY_BEFORE = LABS.parent / "inotify.before"


def sweep(lab: str) -> None:
    """Take everything of the lab away. Raises LabError when something stays."""
    names = LabNames(lab=lab)
    _end_processes(lab)
    for point in overlay.mounts_below(names.directory):
        overlay.unmount(point)
    for name in netns.names(names.prefix):
        netns.remove(name)
    for folder in NSPAWN_PROPAGATE.glob(names.prefix + "*"):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(names.directory, ignore_errors=True)
    if left := leftovers(lab):
        raise LabError("the lab could not be taken away whole", where=", ".join(left), fix="run `canh lab down` again")
    if not labs():
        _restore_host()


def sweep_strays(lab: str, devices: frozenset[str]) -> None:
    """Remove machines and namespaces of the lab that are not among `devices`: what killed runs have left."""
    names = LabNames(lab=lab)
    keep = {names.netns(device) for device in devices} | {names.station}
    strays = {name.removeprefix(names.prefix) for name in netns.names(names.prefix) if name not in keep}
    if names.machines.is_dir():
        strays |= {folder.name for folder in names.machines.iterdir()} - devices
    for stray in strays:
        cgroup.kill(lab, stray)
        cgroup.remove(lab, stray)
        for point in overlay.mounts_below(names.machine_dir(stray)):
            overlay.unmount(point)
        netns.remove(names.netns(stray))
        shutil.rmtree(names.machine_dir(stray), ignore_errors=True)


def leftovers(lab: str) -> tuple[str, ...]:
    """What there is of the lab on this machine: control groups, mounts, namespaces, its folder."""
    names = LabNames(lab=lab)
    found = [f"process {pid}" for pid in sorted(cgroup.processes(lab))]
    found += [f"control group {group}" for group in sorted(cgroup.groups(lab))]
    found += [f"mount {point}" for point in overlay.mounts_below(names.directory)]
    found += [f"namespace {name}" for name in netns.names(names.prefix)]
    return (*found, str(names.directory)) if names.directory.exists() else tuple(found)


def labs() -> tuple[str, ...]:
    """Ids of the labs that have something on this machine."""
    return tuple(sorted(p.name for p in LABS.iterdir() if p.is_dir())) if LABS.is_dir() else ()


def prepare_host() -> None:
    """Raise the kernel's limit of inotify instances where a lab would exceed it; the last lab's end restores it."""
    before = int(INOTIFY.read_text())
    if before < INOTIFY_NEEDED:
        INOTIFY_BEFORE.parent.mkdir(parents=True, exist_ok=True)
        if not INOTIFY_BEFORE.exists():
            INOTIFY_BEFORE.write_text(str(before))
        INOTIFY.write_text(str(INOTIFY_NEEDED))


def _restore_host() -> None:
    netns.unfence()
    if INOTIFY_BEFORE.exists():
        with contextlib.suppress(OSError, ValueError):
            INOTIFY.write_text(str(int(INOTIFY_BEFORE.read_text())))
        INOTIFY_BEFORE.unlink()
    for folder in (LABS, LABS.parent):
        with contextlib.suppress(OSError):
            folder.rmdir()


def _end_processes(lab: str) -> None:
    """The lab's own processes, and those of others that were started inside its namespaces (ssh, nc, tcpdump)."""
    cgroup.kill(lab)
    cgroup.remove(lab)
    for name in netns.names(LabNames(lab=lab).prefix):
        if netns.exists(name):
            _end(lambda name=name: {int(pid) for pid in run("ip", "netns", "pids", name).split()} - {os.getpid()})  # type: ignore[misc]


def _end(remaining: Callable[[], set[int]]) -> None:
    deadline = time.monotonic() + 5
    while (pids := remaining()) and time.monotonic() < deadline:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
