"""The embedded store keeps the contract of stores."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from monitoring.store import Store, StoreWriter
from tests.unit.monitoring.store_contract import *  # noqa: F403 - its tests are this file's
from tests.unit.monitoring.store_contract import Opened


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    return Opened(tmp_path, Store(tmp_path), partial(StoreWriter, tmp_path))
