"""The store of events: written by one process, read by any while it is written.

Writing (the worker behind the spool; a `monitoring.sink.EventSink`):
    sink = writer(data_dir, retention=retention)       # maintains itself in the background until closed
    sink.checkpoint                                    # as committed last, {} at first
    refusals = sink.write(events); sink.commit({"position": 4711})   # durable and visible when commit returns
Reading (an `EventStore`):
    store = reader(data_dir)
    store.search("event.action:login AND source.ip:10.250.0.0/16", start, end, limit=100)   # newest first
    store.scan(...), store.count(...), store.histogram(..., step), store.aggregate("host.name", ...), store.get(ids)

Which store it is, `monitoring.store.choice` tells: Parquet segments in the data directory, read by DuckDB
(`Store`, `StoreWriter`), or Elasticsearch (`monitoring.elastic`). Below `<data>/store/` the embedded one has:
    manifest.json                      the live segments, the checkpoint (see `_manifest`)
    lock                               held (flock) by the writer
    <stream>/<yyyymmddhh>/<id>.parquet segments of one received hour, UTC
"""

from __future__ import annotations

from pathlib import Path

from monitoring.retention import Retention, RetentionRule
from monitoring.sink import EventSink
from monitoring.store._answers import Bucket, EventStore, Group, Tally
from monitoring.store._reader import Store
from monitoring.store._writer import StoreWriter
from monitoring.store.choice import elastic_settings

__all__ = [
    "Bucket",
    "EventStore",
    "Group",
    "Retention",
    "RetentionRule",
    "Store",
    "StoreWriter",
    "Tally",
    "reader",
    "writer",
]


def reader(data_dir: Path) -> EventStore:
    """The store of a data directory, to ask. Raises StoreError when its settings cannot be used."""
    settings = elastic_settings(data_dir)
    if settings is None:
        return Store(data_dir)
    from monitoring.elastic import ElasticStore

    return ElasticStore(settings)


def writer(data_dir: Path, *, retention: Retention | None = None) -> EventSink:
    """The writer of a data directory, maintaining its store until closed. Raises StoreError."""
    settings = elastic_settings(data_dir)
    if settings is None:
        embedded = StoreWriter(data_dir, retention=retention)
        embedded.start()
        return embedded
    from monitoring.elastic import ElasticWriter

    remote = ElasticWriter(data_dir, settings, retention=retention)
    remote.start()
    return remote
