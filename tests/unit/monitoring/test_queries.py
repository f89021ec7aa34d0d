"""The same queries mean the same in every store: here that the embedded one finds what they say."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from monitoring.event import Event
from monitoring.query import parse
from monitoring.store import Store, StoreWriter, _grams, _maintenance
from tests.unit.monitoring.query_corpus import QUERIES, START, corpus, matching


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return corpus()


@pytest.fixture(scope="module", params=["as written", "merged"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, events: list[Event]) -> Store:
    """Merged, each segment has a file that says which blocks of it need not be read."""
    folder = tmp_path_factory.mktemp("queries")
    with StoreWriter(folder) as writer, pytest.MonkeyPatch.context() as patch:
        for part in (events[::2], events[1::2]):
            writer.write(part)
            writer.commit({})
        if request.param == "merged":
            patch.setattr(_maintenance, "ENOUGH_FOR_GRAMS", 1)
            patch.setattr(_grams, "BLOCK", 16)
            for minutes in (0, 10):  # and then what they were made of goes
                writer.maintain(START + timedelta(days=20, minutes=minutes))
            files = list(folder.glob("store/*/*/*.parquet"))
            assert len(files) == 10 and all(_grams.beside(file).exists() for file in files)
    return Store(folder)


@pytest.mark.parametrize("case", QUERIES, ids=[case["query"] for case in QUERIES])
def test_a_query_finds_what_it_says(store: Store, events: list[Event], case: dict[str, Any]) -> None:
    found = [event.id for event in store.scan(case["query"], fields=["event.id"])]
    assert Counter(found) == Counter(matching(events, case["means"]))
    assert (len(found), store.count(case["query"])) == (case["count"], case["count"])


@pytest.mark.parametrize("store", ["merged"], indirect=True)
@pytest.mark.parametrize(
    "query",
    ["needle-4f2a", "user.name:ROOT", "source.ip:255.255.255.255",
     '"ĐĂNG NHẬP THẤT BẠI: Nguyễn Thị Ánh"', "rule.name:100%_forward",
     'event.id:"00000000-0000-5000-8000-000000000010"', "user.name:(ROOT OR nobody)", "user.name:root AND needle-4f2a"],
)  # fmt: skip
def test_a_needle_is_not_looked_for_in_every_block(store: Store, query: str) -> None:
    need = _grams.need_of(parse(query))
    assert need is not None
    found = [_grams.spans(store._folder / s.file, need) for s in store.manifest().segments]
    assert sum(len(spans) for spans in found if spans is not None) <= 4 and None not in found


@pytest.mark.parametrize("store", ["merged"], indirect=True)
def test_a_needle_is_found_where_the_file_beside_a_segment_is_damaged(store: Store, events: list[Event]) -> None:
    for number, file in enumerate(sorted(store._folder.glob("*/*/*.grams"))):
        file.write_bytes((b"", b"{}\n", file.read_bytes()[:2000])[number % 3])
    _grams._head.cache_clear()
    assert [e.id for e in store.scan("user.name:ROOT")] == [e.id for e in events if e.get("user.name") == "ROOT"]
