"""The scale-out store beside the embedded one: the same documents into both, the same questions to both.

A single node of the tests' own server, on the same two cores as whoever asks; its figures are for comparing with
each other, not for planning a cluster. CANH_BENCH_DOCUMENTS says how many (60,000 unless told).
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from monitoring.elastic import ElasticSettings, ElasticStore, ElasticWriter
from monitoring.store import EventStore, Store, StoreWriter
from tests.bench import bench_store
from tests.server.conftest import node

DOCUMENTS = int(os.environ.get("CANH_BENCH_DOCUMENTS", "60000"))
BATCH = 2000


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="canh-bench-"))
    server = node(folder, "one", "discovery.type=single-node")
    server.start()
    try:
        server.wait()
        bench_store.EVENTS = DOCUMENTS
        events = bench_store._events()
        settings = ElasticSettings(hosts=(server.url,), replicas=0)
        embedded, remote = StoreWriter(folder / "embedded"), ElasticWriter(folder / "remote", settings)
        for name, writer in (("embedded", embedded), ("elasticsearch", remote)):
            began = time.perf_counter()
            for start in range(0, DOCUMENTS, BATCH):
                writer.write(events[start : start + BATCH])
            writer.commit({})
            print(f"{name:14} {DOCUMENTS / (time.perf_counter() - began):9,.0f} documents/s")
        embedded.maintain(bench_store.START + timedelta(days=1))
        stores: dict[str, EventStore] = {
            "embedded": Store(folder / "embedded"),
            "elasticsearch": ElasticStore(settings),
        }
        indices = remote._cluster.client.options(request_timeout=120).indices
        indices.forcemerge(index="canh-events", max_num_segments=1)
        indices.flush(index="canh-events")
        octets = {
            "embedded": sum(segment.octets for segment in Store(folder / "embedded").manifest().segments),
            "elasticsearch": ElasticStore(settings).octets(),
        }
        _ask(stores)
        print("  ".join(f"{name}: {size / DOCUMENTS:.0f} octets each" for name, size in octets.items()))
        embedded.close()
        remote.close()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _ask(stores: dict[str, EventStore]) -> None:
    hour = (bench_store.START + timedelta(hours=2), bench_store.START + timedelta(hours=3))
    questions: dict[str, Callable[[EventStore], object]] = {
        "host + 1 h, newest 100": lambda store: len(list(store.search("host.name:core1", *hour))),
        "needle by field": lambda store: len(list(store.search("source.port:40001 AND user.name:user77"))),
        "needle by text": lambda store: len(list(store.search('"for user77 from 10.250.65.9 port 4"'))),
        "histogram by host": lambda store: len(store.histogram(step=timedelta(minutes=10), by="host.name")),
        "hosts": lambda store: len(store.aggregate("host.name")),
    }
    for name, ask in questions.items():
        told = []
        for store in stores.values():
            times = []
            for _ in range(5):
                began = time.perf_counter()
                answer = ask(store)
                times.append((time.perf_counter() - began) * 1000)
            told.append(f"{sorted(times)[2]:7.1f} ms ({answer})")
        print(f"{name:26} " + "  ".join(f"{label}: {text}" for label, text in zip(stores, told, strict=True)))


if __name__ == "__main__":
    main()
