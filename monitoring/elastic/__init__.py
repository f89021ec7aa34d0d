"""The scale-out store: Elasticsearch 9, by its official client. Chosen by a setting, see `monitoring.store.choice`.

Events go into one index a stream and *received* day behind one alias, `<prefix>-events-log-2026.11.22`
behind `<prefix>-events`. The day is the spool's, so a replay meets the same index and the same `_id`: what is
there answers 409, and nothing is there twice. Retention deletes whole days.

    _settings.py    where the cluster is and how to log in
    _cluster.py     a client whose failures are StoreErrors
    _templates.py   index templates out of ecs.yaml
    _documents.py   events as documents and back
    _dsl.py         a query's tree as query DSL
    _bulk.py        what became of each item of a bulk request
    _writer.py, _reader.py
"""

from monitoring.elastic._reader import ElasticStore
from monitoring.elastic._settings import ElasticSettings, settings_of
from monitoring.elastic._writer import ElasticWriter

__all__ = ["ElasticSettings", "ElasticStore", "ElasticWriter", "settings_of"]
