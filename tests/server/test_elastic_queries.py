"""The same queries over the same events: the same events, in the same order, from both stores."""

from __future__ import annotations

from typing import Any

import pytest

from monitoring.elastic import ElasticSettings, ElasticStore, ElasticWriter
from monitoring.store import Store, StoreWriter
from tests.server.conftest import Node
from tests.unit.monitoring.query_corpus import QUERIES, corpus


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory, server: Node) -> tuple[Store, ElasticStore]:
    folder, other = tmp_path_factory.mktemp("embedded"), tmp_path_factory.mktemp("remote")
    settings = ElasticSettings(hosts=(server.url,), prefix="queries", replicas=0)
    for writer in (StoreWriter(folder), ElasticWriter(other, settings)):
        assert writer.write(corpus()) == ()
        writer.commit({})
        writer.close()
    return Store(folder), ElasticStore(settings)


@pytest.mark.parametrize("case", QUERIES, ids=[case["query"] for case in QUERIES])
def test_both_stores_find_the_same(stores: tuple[Store, ElasticStore], case: dict[str, Any]) -> None:
    embedded, remote = ([event.id for event in store.scan(case["query"], fields=["event.id"])] for store in stores)
    assert remote == embedded
    assert (len(remote), stores[1].count(case["query"])) == (case["count"], case["count"])


@pytest.mark.parametrize(
    "field", ["user.name", "source.port", "canh.unlisted.name", "event.category", "canh.src.known"]
)
def test_both_stores_group_the_same(stores: tuple[Store, ElasticStore], field: str) -> None:
    embedded, remote = (store.aggregate(field, "NOT user.name:root", limit=50) for store in stores)
    assert remote == embedded and len(remote) > 1


def test_an_event_is_the_same_from_both(stores: tuple[Store, ElasticStore]) -> None:
    embedded, remote = (list(store.scan("user.name:* OR canh.unlisted:*", oldest_first=True)) for store in stores)
    assert remote == embedded
