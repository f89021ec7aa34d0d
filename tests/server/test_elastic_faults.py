"""What goes wrong with a cluster: nothing is lost, nothing is there twice, and what cannot be stored is told."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from monitoring.dead import dead_letters
from monitoring.elastic import ElasticSettings, ElasticStore, ElasticWriter
from monitoring.errors import StoreError
from monitoring.event import Event
from monitoring.spool import Received, Spool, SpoolRecord
from monitoring.storing import Storer, store_for_ever
from tests.server.conftest import Node, node
from tests.unit.monitoring.stored import NOON, event


def settings_of(server: Node, prefix: str) -> ElasticSettings:
    return ElasticSettings(hosts=(server.url,), prefix=prefix, replicas=0)


def event_of(record: SpoolRecord) -> Event:
    stamp = record.received.astimezone(UTC).isoformat(timespec="microseconds")[:26] + "Z"
    text = record.raw.decode()
    return Event(
        {
            "event.id": str(record.event_id),
            "@timestamp": stamp,
            "event.ingested": stamp,
            "event.original": text,
            "message": text,
            "host.name": "h" * 40_000 if text == "too long to be a term" else "h1",
        }
    )


def fill(spool: Spool, first: int, count: int) -> None:
    now = time.time_ns() // 1000
    spool.append([Received(b"message %d" % n, now, "syslog-udp", "10.0.0.1", 514) for n in range(first, first + count)])


def messages(store: ElasticStore) -> list[str]:
    return [e.text("message") for e in store.scan(fields=("message",))]


def expected(count: int) -> Counter[str]:
    return Counter(f"message {n}" for n in range(count))


# Items that are refused, items that have to wait


def test_what_the_cluster_refuses_is_told_item_by_item(tmp_path: Path, server: Node) -> None:
    """A day's index whose mapping somebody changed: the one event that does not fit it is refused, not the batch."""
    settings = settings_of(server, "refused")
    client = Elasticsearch(server.url)
    client.indices.create(
        index="refused-events-log-2026.11.22",
        aliases={"refused-events": {}},
        mappings={"dynamic": False, "properties": {"user": {"type": "long"}}},
    )
    writer = ElasticWriter(tmp_path, settings)
    refusals = writer.write([event(1), event(2, **{"user.name": "x"}), event(3)])
    writer.commit({})
    writer.close()
    assert [r.index for r in refusals] == [1]
    assert refusals[0].reason.startswith("document-parsing: ")
    assert ElasticStore(settings).count() == 2
    client.close()


def test_a_refused_event_becomes_a_dead_letter_and_the_rest_is_stored(tmp_path: Path, server: Node) -> None:
    settings = settings_of(server, "dead")
    spool = Spool(tmp_path / "spool/test")
    fill(spool, 0, 3)
    client = Elasticsearch(server.url)
    day = datetime.now(UTC).strftime("%Y.%m.%d")
    client.indices.create(
        index=f"dead-events-log-{day}", mappings={"dynamic": "strict", "properties": {"message": {"type": "text"}}}
    )
    writer = ElasticWriter(tmp_path, settings)
    storer = Storer(tmp_path, event_of, writer)
    while storer.step():
        pass
    storer.commit()
    writer.close()
    spool.close()
    letters = list(dead_letters(tmp_path))
    assert [letter["reason"] for letter in letters] == ["strict-dynamic-mapping"] * 3
    assert all(letter["detail"] and letter["raw"] for letter in letters)
    client.close()


def test_a_full_disk_is_waited_for(tmp_path: Path, server: Node) -> None:
    """At its flood stage a cluster blocks the index and answers 429 for each item, until there is room again."""
    settings = settings_of(server, "full")
    client = Elasticsearch(server.url)
    writer = ElasticWriter(tmp_path, settings)
    writer.write([event(1)])
    _block(client, "full-events-log-2026.11.22", True)
    has_room = threading.Event()

    def make_room() -> None:
        has_room.set()
        _block(client, "full-events-log-2026.11.22", None)

    later = threading.Timer(2.0, make_room)
    later.start()
    assert writer.write([event(n) for n in range(2, 50)]) == ()
    assert has_room.is_set()
    later.join()
    writer.commit({"position": 50})
    writer.close()
    assert ElasticStore(settings).count() == 49
    client.close()


def test_a_cluster_that_stays_full_is_an_error_and_the_checkpoint_stays(tmp_path: Path, server: Node) -> None:
    settings = settings_of(server, "stays")
    client = Elasticsearch(server.url)
    writer = ElasticWriter(tmp_path, settings, patience_s=1.0)
    writer.write([event(1)])
    writer.commit({"position": 1})
    _block(client, "stays-events-log-2026.11.22", True)
    with pytest.raises(StoreError, match="cluster_block_exception"):
        writer.write([event(2)])
    writer.close()
    _block(client, "stays-events-log-2026.11.22", None)
    again = ElasticWriter(tmp_path, settings)
    assert again.checkpoint == {"position": 1}
    again.close()
    client.close()


def _block(client: Elasticsearch, index: str, value: bool | None) -> None:
    client.indices.put_settings(index=index, settings={"index.blocks.read_only_allow_delete": value})


def test_a_copied_data_directory_is_told(tmp_path: Path, server: Node) -> None:
    """Two machines with one data directory's checkpoint: the second to commit is stopped."""
    settings = settings_of(server, "copied")
    first = ElasticWriter(tmp_path / "a", settings)
    first.commit({"position": 1})
    copy = tmp_path / "b/store"
    copy.mkdir(parents=True)
    (copy / "elasticsearch.json").write_bytes((tmp_path / "a/store/elasticsearch.json").read_bytes())
    second = ElasticWriter(tmp_path / "b", settings)
    first.commit({"position": 2})
    with pytest.raises(StoreError, match="another process moved"):
        second.commit({"position": 3})
    first.close()
    second.close()


def test_an_unreachable_cluster_is_told_in_bounded_time(tmp_path: Path) -> None:
    settings = ElasticSettings(hosts=("http://127.0.0.1:9",), user="canh", password="khong-ai-thay")
    with pytest.raises(StoreError) as caught:
        ElasticWriter(tmp_path, settings, patience_s=1.0)
    assert "127.0.0.1:9" in str(caught.value) and "khong-ai-thay" not in str(caught.value) + repr(settings)
    with pytest.raises(StoreError):
        ElasticStore(settings).count()


# Killed at any moment


def _store_for_ever(data_dir: Path, settings: ElasticSettings) -> None:
    store_for_ever(data_dir, event_of, lambda: ElasticWriter(data_dir, settings), threading.Event())


def test_a_killed_worker_loses_and_doubles_nothing(
    tmp_path: Path, server: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(server, "killed")
    monkeypatch.setattr("monitoring.storing.BATCH", 40)
    monkeypatch.setattr("monitoring.storing.COMMIT_S", 0.1)
    spool, store, chance = Spool(tmp_path / "spool/test"), ElasticStore(settings), random.Random(20261122)
    context = multiprocessing.get_context("fork")
    written = 0
    for _ in range(8):
        fill(spool, written, 400)
        written += 400
        process = context.Process(target=_store_for_ever, args=(tmp_path, settings), daemon=True)
        process.start()
        time.sleep(chance.uniform(0.3, 1.2))
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
    process = context.Process(target=_store_for_ever, args=(tmp_path, settings), daemon=True)
    process.start()
    _until(lambda: store.count() >= written, 60)
    os.kill(process.pid or 0, signal.SIGKILL)
    process.join()
    spool.close()
    assert Counter(messages(store)) == expected(written)


# Three nodes, one of them killed with -9 while events come in


@pytest.mark.timeout(400)  # three servers on a machine that may be busy
def test_a_cluster_that_loses_a_node_loses_and_doubles_nothing(tmp_path: Path) -> None:
    nodes = [node(tmp_path, name) for name in ("a", "b", "c")]
    seeds = ",".join(f"127.0.0.1:{n.transport}" for n in nodes)
    for one in nodes:
        one.options = (f"discovery.seed_hosts={seeds}", "cluster.initial_master_nodes=a,b,c")
        one.start()
    try:
        for one in nodes:
            one.wait()
        _lose_one(tmp_path, nodes)
    finally:
        for one in nodes:
            one.kill()


def _lose_one(tmp_path: Path, nodes: list[Node]) -> None:
    hosts = tuple(n.url for n in nodes)
    settings = ElasticSettings(hosts=hosts, prefix="three", shards=3, replicas=1)
    client = Elasticsearch(list(hosts), max_retries=6)
    client.cluster.health(wait_for_nodes="3", timeout="60s")
    spool, stop, total = Spool(tmp_path / "data/spool/test"), threading.Event(), 0
    worker = threading.Thread(
        target=store_for_ever,
        args=(tmp_path / "data", event_of, lambda: ElasticWriter(tmp_path / "data", settings), stop),
        daemon=True,
    )
    worker.start()
    killed_at: list[int] = []
    for _ in range(40):
        fill(spool, total, 500)
        total += 500
        time.sleep(0.15)
        if not killed_at and total >= 8000:
            client.cluster.health(wait_for_status="green", timeout="60s")  # each shard has its second copy
            _elected(client, nodes).kill()
            killed_at.append(total)
    store = ElasticStore(settings)
    _until(lambda: _count(store) >= total, 150)
    stop.set()
    worker.join(timeout=60)
    spool.close()
    assert killed_at and Counter(messages(store)) == expected(total)
    assert not list(dead_letters(tmp_path / "data"))
    client.close()


def _elected(client: Elasticsearch, nodes: list[Node]) -> Node:
    name = client.cat.master(format="json").body[0]["node"]  # type: ignore[index]
    return next(n for n in nodes if n.name == name)


def _count(store: ElasticStore) -> int:
    try:
        return store.count()
    except StoreError:
        return 0


def _until(done: Callable[[], bool], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.5)


# How it is written


def test_days_stand_behind_one_alias_and_one_of_their_data_set(tmp_path: Path, server: Node) -> None:
    settings = settings_of(server, "days")
    writer = ElasticWriter(tmp_path, settings)
    writer.write([event(n, NOON + timedelta(days=n)) for n in range(3)])
    writer.commit({})
    writer.close()
    client = Elasticsearch(server.url)
    names = sorted(client.indices.get_alias(name="days-events").body)
    assert names == [f"days-events-log-2026.11.{22 + n}" for n in range(3)]
    assert sorted(client.indices.get_alias(name="days-events-log").body) == names
    assert all(earlier < later for earlier, later in pairwise(names))
    source = client.search(index="days-events", size=1)["hits"]["hits"][0]["_source"]
    assert "canh_find" not in source and source["host"]["name"].startswith("h")
    client.close()
