from __future__ import annotations

from pathlib import Path

import pytest

from inventory import load
from inventory.model import Province
from network.platform import Platform, load_platform
from tests.unit.network.devices import FileLab

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def province() -> Province:
    return load(ROOT / "inventory/provinces/lab")


@pytest.fixture(scope="session")
def frr() -> Platform:
    return load_platform("frr")


@pytest.fixture
def lab(province: Province, tmp_path: Path) -> FileLab:
    """Eight routers on their first day."""
    lab = FileLab(tmp_path / "routers", province)
    lab.boot()
    return lab


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "var"
