"""Elasticsearch keeps the contract of stores: the same tests as the embedded one, against a real server."""

from __future__ import annotations

import itertools
from functools import partial
from pathlib import Path

import pytest

from monitoring.elastic import ElasticSettings, ElasticStore, ElasticWriter
from tests.server.conftest import Node
from tests.unit.monitoring.store_contract import *  # noqa: F403 - its tests are this file's
from tests.unit.monitoring.store_contract import Opened

_numbers = itertools.count()


@pytest.fixture
def opened(tmp_path: Path, server: Node) -> Opened:
    settings = ElasticSettings(hosts=(server.url,), prefix=f"contract{next(_numbers)}", replicas=0)
    return Opened(tmp_path, ElasticStore(settings), partial(ElasticWriter, tmp_path, settings))
