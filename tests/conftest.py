"""Layers are folders: a test's marker is the folder it stands in."""

from __future__ import annotations

from pathlib import Path

import pytest

LAYERS = ("unit", "server", "lab", "browser", "bench")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        layer = Path(item.path).relative_to(here).parts[0]
        if layer in LAYERS:
            item.add_marker(getattr(pytest.mark, layer))
