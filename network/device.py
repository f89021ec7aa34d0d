"""What the engine asks of a device. netmiko implements it in one module, tests on a tree of lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol


class Device(Protocol):
    """One open session. Every method may raise DeviceUnreachable when the session is lost."""

    @property
    def name(self) -> str: ...

    def running(self) -> str:
        """The running configuration, as the device shows it."""

    def show(self, command: str) -> str:
        """What the device answers to one command that changes nothing."""

    def send(self, lines: Sequence[str]) -> None:
        """Type `lines` in configuration mode, each after the device took the one before.

        Raises LineRejected at the first the device refuses; the lines before it stay in force.
        """

    def save(self) -> None:
        """Store the running configuration over restarts. Raises SaveFailed."""

    def close(self) -> None:
        """End the session; never raises."""


Connect = Callable[[str], Device]  # opens the device of that name; raises DeviceError
