from __future__ import annotations

from pathlib import Path

import pytest

from inventory.init import write_skeleton

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def lab() -> Path:
    return ROOT / "inventory/provinces/lab"


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A province that `canh init` has just written."""
    folder = tmp_path / "demo"
    write_skeleton("demo", folder)
    return folder
