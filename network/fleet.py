"""The sessions of one change: opened together, read together, opened again when one is lost."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import timedelta

from inventory.model import Province
from network.check import Adjacency, up
from network.device import Connect, Device
from network.errors import DeviceUnreachable, LoginRefused
from network.plan import each, each_or_raise
from network.platform import load_platform

RETRY_S = 0.5


class Fleet:
    """Open sessions by device name. Use as a context manager; leaving closes them."""

    def __init__(self, province: Province, connect: Connect, *, patience: timedelta = timedelta()) -> None:
        self._province, self._connect, self._patience = province, connect, patience
        self._sessions: dict[str, Device] = {}

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        each(list(self._sessions), self._close)

    def __getitem__(self, name: str) -> Device:
        return self._sessions[name]

    def open(self, names: Iterable[str]) -> None:
        """Open a session with each of `names`, or raise the first one's error. Waits `patience` for
        machines that are still starting."""
        sessions, errors = each(names, self._open)
        self._sessions |= sessions
        for error in errors.values():
            raise error

    def again(self, name: str) -> Device:
        """A fresh session with `name`."""
        self._close(name)
        self._sessions[name] = self._open(name)
        return self._sessions[name]

    def texts(self, names: Iterable[str]) -> Mapping[str, str]:
        """The running configuration of each of `names`, as shown."""
        return each_or_raise(names, lambda name: self[name].running())

    def neighbours(self, names: Iterable[str]) -> frozenset[Adjacency]:
        """The expected neighbourships that `names` see up now; a device that does not answer sees none."""
        seen, _ = each(names, self._neighbours)
        return frozenset().union(*seen.values())

    def _neighbours(self, name: str) -> frozenset[Adjacency]:
        platform = load_platform(self._province.devices[name].platform.value)
        return up(self._province, self[name], platform)

    def _open(self, name: str) -> Device:
        deadline = time.monotonic() + self._patience.total_seconds()
        while True:
            try:
                return self._connect(name)
            except (DeviceUnreachable, LoginRefused):  # the account too may not be there yet
                if time.monotonic() >= deadline:
                    raise
                time.sleep(RETRY_S)

    def _close(self, name: str) -> None:
        session = self._sessions.pop(name, None)
        if session is not None:
            session.close()
