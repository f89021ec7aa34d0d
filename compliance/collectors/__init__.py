"""Collectors: how raw evidence is taken from a machine or from the platform, and read as facts.

A module each. A machine collector has `COMMAND`, a shell text run as root on the machine; a platform
collector has `observe(platform) -> str`. Both have `facts(output, asset) -> Facts`, which is pure, so facts can be
derived again, years later, from the evidence alone. A command never prints a secret: it masks at the source.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Protocol, cast

from compliance.errors import ControlError
from compliance.model import Facts


class Collector(Protocol):
    """What a collector module offers."""

    def facts(self, output: str) -> Facts:
        """Facts by dotted name. Raises ValueError when the output is not what it should be."""
        ...


@cache
def collectors() -> Mapping[str, Collector]:
    """Every collector by name."""
    names = (m.name for m in pkgutil.iter_modules(__path__))
    return {name: cast(Collector, import_module(f"{__name__}.{name}")) for name in names}


def command_of(name: str) -> str | None:
    """The shell text of a machine collector, None for one of the platform. Raises ControlError for an unknown name."""
    module = collectors().get(name)
    if module is None:
        raise ControlError(f"no collector is called {name}", fix=f"choose from {', '.join(sorted(collectors()))}")
    command: str | None = getattr(module, "COMMAND", None)
    return command
