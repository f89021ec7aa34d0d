"""Collectors: how raw evidence is taken from a machine or from the platform, and read as facts.

A module each. A machine collector has `COMMAND`, a shell text run as root on the machine, or `command(scene,
device)` that makes one; a platform collector has `observe(scene)`, its output by asset. Both have `facts(output)`,
which is pure, so facts can be derived again, years later, from the evidence alone. A command never prints a
secret: it masks at the source.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import Protocol, cast

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
