"""The engineer's workstation of a lab: a namespace on the management segment from which devices are reached.

`enter` moves this process, or only this thread, into it; `inside` does so for a block of code.
A socket stays in the namespace it was opened in, so a block need only hold the opening.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from infra.errors import LabError
from infra.names import netns_path

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def enter(data_dir: Path) -> None:
    """Move the calling thread (and what it starts from now on) into the station of the lab of `data_dir`.

    Raises LabError when the lab is not up. Call it before starting threads to move a whole process.
    """
    enter_netns(netns_of(data_dir))


@contextlib.contextmanager
def inside(data_dir: Path) -> Iterator[None]:
    """Run a block with the calling thread in the station's namespace, and come back."""
    with inside_netns(netns_of(data_dir)):
        yield


def netns_of(data_dir: Path) -> str:
    """Name of the station's namespace, from lab.json. Raises LabError when there is no lab."""
    file = data_dir / "lab/lab.json"
    try:
        return str(json.loads(file.read_text())["station_netns"])
    except (OSError, ValueError, KeyError) as error:
        raise LabError("no lab is up for this data directory", where=file, fix="run `canh lab up`") from error


@contextlib.contextmanager
def inside_netns(netns: str) -> Iterator[None]:
    """As `inside`, for a namespace by name."""
    home = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter_netns(netns)
        try:
            yield
        finally:
            _setns(home, "home namespace")
    finally:
        os.close(home)


def enter_netns(netns: str) -> None:
    """Move the calling thread into the namespace called `netns`; root only."""
    path = netns_path(netns)
    try:
        there = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise LabError(
            f"network namespace {netns} cannot be opened: {error.strerror}", where=path, fix="run `canh lab up`"
        ) from error
    try:
        _setns(there, netns)
    finally:
        os.close(there)


def _setns(descriptor: int, name: str) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise LabError(f"cannot enter {name}: {reason}", where=name, fix="run as root")
