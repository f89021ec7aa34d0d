"""The store: immutable Parquet segments by received hour, read by DuckDB in any process.

Writing (one process, the worker behind the spool; it is a `monitoring.sink.EventSink`):
    sink = writer(data_dir, retention={"": policy.log_retention})   # merges and expires in the background
    sink.checkpoint                                    # as committed last, {} at first
    sink.write(events); sink.commit({"position": 4711})   # on disk and visible when commit returns
    sink.close()
Reading (any process, also while it is written):
    store = Store(data_dir)
    store.search("event.action:login AND source.ip:10.250.0.0/16", start, end, limit=100)   # newest first
    store.count(...), store.histogram(..., step), store.aggregate("host.name", ...), store.get(ids)

Content and checkpoint are published together by replacing `manifest.json`, so they never
disagree; a segment that no manifest names does not exist. Below `<data>/store/`:
    manifest.json                      the live segments, the checkpoint (see `_manifest`)
    lock                               held (flock) by the writer
    <stream>/<yyyymmddhh>/<id>.parquet segments of one received hour, UTC
"""

from monitoring.store._reader import Bucket, Group, Store
from monitoring.store._writer import StoreWriter, writer

__all__ = ["Bucket", "Group", "Store", "StoreWriter", "writer"]
