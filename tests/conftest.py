"""Layers are folders: a test's marker is the folder it stands in."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# On a fresh clone Hypothesis works out its table of characters in the first test that wants one: seconds on a busy
# machine, which it then takes for a fault of that test.
settings.register_profile("canh", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("canh")

LAYERS = ("unit", "server", "lab", "browser", "bench")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        layer = Path(item.path).relative_to(here).parts[0]
        if layer in LAYERS:
            item.add_marker(getattr(pytest.mark, layer))
