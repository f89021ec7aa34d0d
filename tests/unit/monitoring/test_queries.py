"""The same queries mean the same in every store: here that the embedded one finds what they say."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from monitoring.event import Event
from monitoring.store import Store, StoreWriter
from tests.unit.monitoring.query_corpus import QUERIES, corpus, matching


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return corpus()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, events: list[Event]) -> Store:
    folder = tmp_path_factory.mktemp("queries")
    with StoreWriter(folder) as writer:
        writer.write(events)
        writer.commit({})
    return Store(folder)


@pytest.mark.parametrize("case", QUERIES, ids=[case["query"] for case in QUERIES])
def test_a_query_finds_what_it_says(store: Store, events: list[Event], case: dict[str, Any]) -> None:
    found = [event.id for event in store.scan(case["query"], fields=["event.id"])]
    assert Counter(found) == Counter(matching(events, case["means"]))
    assert (len(found), store.count(case["query"])) == (case["count"], case["count"])
