"""Asking the cluster what the other store is asked, with the same answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from monitoring import ecs
from monitoring.elastic import _documents, _dsl, _templates
from monitoring.elastic._cluster import Cluster
from monitoring.elastic._settings import ElasticSettings
from monitoring.errors import StoreError
from monitoring.event import Event
from monitoring.query import Exists
from monitoring.store._answers import Bucket, EventStore, Group, Question, Tally, only

PAGE = 2000
SPANS = 50  # of a histogram, in one answer
MOST_VALUES = 1000  # of a field, in one span or group
_NEWEST = [{"@timestamp": {"order": "desc", "unmapped_type": "date_nanos"}}, {"event.id": {"order": "desc"}}]
_OLDEST = [{"@timestamp": {"order": "asc", "unmapped_type": "date_nanos"}}, {"event.id": {"order": "asc"}}]


class ElasticStore(EventStore):
    """Reads the events of a cluster."""

    def __init__(self, settings: ElasticSettings) -> None:
        self._settings = settings
        self._cluster = Cluster(settings)
        self._alias = _templates.alias(settings)

    def get(self, ids: Sequence[str]) -> list[Event]:
        if not ids:
            return []
        wanted = {text: _documents.canonical(text) for text in dict.fromkeys(ids)}
        asked = {"terms": {"event.id": sorted(set(wanted.values()))}}
        found = {event.id: event for event in self._pages(asked, len(wanted), (), _NEWEST)}
        return [found[canonical] for canonical in wanted.values() if canonical in found]

    def span(self) -> tuple[datetime, datetime] | None:
        edges = {"first": _edge("@timestamp", "asc"), "last": _edge("@timestamp", "desc")}
        found = self._aggregated({"match_all": {}}, edges)
        if not found or not found["first"]["hits"]["hits"]:
            return None
        return _edge_of(found["first"]), _edge_of(found["last"])

    def octets(self) -> int:
        """What the events take on the disks of all nodes, replicas included."""
        stats = self._cluster.client.indices.stats
        found = self._cluster.ask("statistics", stats, index=f"{self._alias}-*", metric="store")
        return int(found["_all"]["total"]["store"]["size_in_bytes"])

    def _search(self, asked: Question, limit: int, fields: tuple[str, ...]) -> Iterator[Event]:
        return self._pages(_query_of(asked), limit, fields, _NEWEST)

    def _scan(self, asked: Question, fields: tuple[str, ...], *, oldest_first: bool) -> Iterator[Event]:
        return self._pages(_query_of(asked), None, fields, _OLDEST if oldest_first else _NEWEST)

    def _count(self, asked: Question) -> int:
        call = self._cluster.client.count
        found = self._cluster.ask("search", call, index=self._alias, query=_query_of(asked), ignore_unavailable=True)
        self._whole(found)
        return int(found["count"])

    def _histogram(self, asked: Question, step: timedelta, by: str) -> list[Bucket]:
        spans = {"date_histogram": {"field": "@timestamp", "fixed_interval": f"{step // timedelta(milliseconds=1)}ms"}}
        query, parts = _query_of(asked), _parts_of(by) if by else {}
        buckets: list[Bucket] = []
        after: Mapping[str, Any] | None = None
        while True:
            composite: dict[str, Any] = {"size": SPANS, "sources": [{"span": spans}]}
            if after is not None:
                composite["after"] = after
            found = self._aggregated(query, {"spans": {"composite": composite, "aggs": parts}})
            for span in found.get("spans", {}).get("buckets", ()):
                buckets += _buckets_of(span, by)
            after = found.get("spans", {}).get("after_key")
            if after is None:
                return buckets

    def _aggregate(self, asked: Question, field: str, limit: int) -> list[Group]:
        """Counts of rare values may be low where many shards hold very many values."""
        parts = {
            "first": _edge("@timestamp", "asc"),
            "last": _edge("@timestamp", "desc"),
            "received": _edge("event.ingested", "desc"),
        }
        found = self._aggregated(_query_of(asked), {"groups": {"terms": _terms(field, limit), "aggs": parts}})
        groups = []
        for bucket in found.get("groups", {}).get("buckets", ()):
            times = [_edge_of(bucket[name]) for name in ("first", "last", "received")]
            first, last, received = times
            value = _value(bucket, field)
            groups.append(Group(value=value, count=bucket["doc_count"], first=first, last=last, last_received=received))
        return groups

    def _tally(self, asked: Question, fields: tuple[str, ...], step: timedelta) -> Iterator[Tally]:
        """Counted by the cluster where all are fields of their own there; else from the events."""
        if not all(field in ecs.fields() and ecs.field_type(field).kind != "date" for field in fields):
            yield from super()._tally(asked, fields, step)
            return
        spans = {"date_histogram": {"field": "@timestamp", "fixed_interval": f"{step // timedelta(milliseconds=1)}ms"}}
        terms = [{f"v{n}": {"terms": {"field": field, "missing_bucket": True}}} for n, field in enumerate(fields)]
        edges = {name: {name: {"field": "@timestamp"}} for name in ("min", "max")}
        after: Mapping[str, Any] | None = None
        while True:
            composite: dict[str, Any] = {"size": SPANS, "sources": [{"span": spans}, *terms]}
            if after is not None:
                composite["after"] = after
            found = self._aggregated(_query_of(asked), {"tally": {"composite": composite, "aggs": edges}}).get(
                "tally", {}
            )
            for bucket in found.get("buckets", ()):
                keys = bucket["key"]
                values = tuple("" if keys[f"v{n}"] is None else _key(keys[f"v{n}"]) for n in range(len(fields)))
                start, first, last = (
                    _of_ms(ms) for ms in (keys["span"], bucket["min"]["value"], bucket["max"]["value"])
                )
                yield Tally(start=start, values=values, count=bucket["doc_count"], first=first, last=last)
            after = found.get("after_key")
            if after is None:
                return

    def _pages(
        self, asked: dict[str, Any], limit: int | None, fields: Sequence[str], order: list[dict[str, Any]]
    ) -> Iterator[Event]:
        left, after = limit, None
        while left is None or left > 0:
            size = PAGE if left is None else min(left, PAGE)
            page = self._page(asked, size, after, order)
            for hit in page:
                yield only(_documents.event_of(hit["_source"]), fields)
            if len(page) < size:
                return
            after = page[-1]["sort"]
            left = None if left is None else left - size

    def _page(
        self, asked: dict[str, Any], size: int, after: list[Any] | None, order: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        more = {} if after is None else {"search_after": after}
        found = self._cluster.ask(
            "search",
            self._cluster.client.search,
            index=self._alias,
            query=asked,
            size=size,
            sort=order,
            track_total_hits=False,
            ignore_unavailable=True,
            **more,
        )
        self._whole(found)
        return list(found["hits"]["hits"])

    def _aggregated(self, asked: dict[str, Any], aggregations: dict[str, Any]) -> dict[str, Any]:
        search = self._cluster.client.search
        found = self._cluster.ask(
            "search", search, index=self._alias, query=asked, size=0, aggs=aggregations, ignore_unavailable=True
        )
        self._whole(found)
        return dict(found.get("aggregations", {}))

    def _whole(self, found: Mapping[str, Any]) -> None:
        """An answer of some shards only is none: what is missing would look like what is not there."""
        failed = found["_shards"]["failed"]
        if failed or found.get("timed_out"):
            raise StoreError(
                f"{failed} of {found['_shards']['total']} shards did not answer",
                where=self._settings,
                fix="ask again when the cluster is green or yellow",
            )


def _query_of(asked: Question) -> dict[str, Any]:
    conditions = [_dsl.query_of(asked.node, now=datetime.now(UTC))]
    bounds = {sign: _iso(when) for sign, when in (("gte", asked.start), ("lt", asked.end)) if when is not None}
    if bounds:
        conditions.append({"range": {"@timestamp": bounds}})
    return {"bool": {"filter": conditions}}


def _iso(when: datetime) -> str:
    least, most = datetime(1970, 1, 1, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC)
    return min(max(when.astimezone(UTC), least), most).isoformat(timespec="microseconds")[:26] + "Z"


def _terms(field: str, limit: int) -> dict[str, Any]:
    """The terms of a field, most frequent first, then by value."""
    order = [{"_count": "desc"}, {"_key": "asc"}]
    terms: dict[str, Any] = {"size": limit, "shard_size": 2 * limit + 1000, "order": order}
    if field in ecs.fields() or field == "event.id":
        return {"field": field, **terms}
    begin = re.sub(r"([^0-9A-Za-z_\x80-\U0010ffff])", r"\\\1", field)
    return {"field": _dsl.MORE_FIELD, "include": f"{begin}{_documents.BETWEEN}.*", **terms}


def _parts_of(by: str) -> dict[str, Any]:
    without = {"filter": {"bool": {"must_not": [_dsl.query_of(Exists(by), now=datetime.now(UTC))]}}}
    return {"values": {"terms": _terms(by, MOST_VALUES)}, "without": without}


def _buckets_of(span: Mapping[str, Any], by: str) -> list[Bucket]:
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=span["key"]["span"])
    if not by:
        return [Bucket(start=start, value="", count=span["doc_count"])]
    counts = {_value(bucket, by): bucket["doc_count"] for bucket in span["values"]["buckets"]}
    if span["without"]["doc_count"]:
        counts[""] = counts.get("", 0) + span["without"]["doc_count"]
    return [Bucket(start=start, value=value, count=count) for value, count in sorted(counts.items())]


def _key(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _of_ms(ms: float) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def _value(bucket: Mapping[str, Any], field: str) -> str:
    """A group's value as text."""
    kind = ecs.field_type(field).kind
    if kind in ("boolean", "date"):
        return str(bucket["key_as_string"])
    key = str(bucket["key"])
    return key if field in ecs.fields() or field == "event.id" else key.partition(_documents.BETWEEN)[2]


def _edge(field: str, order: str) -> dict[str, Any]:
    """The event at one end; the plain min and max of a time are cut to the millisecond."""
    return {"top_hits": {"size": 1, "sort": [{field: {"order": order}}], "_source": [field]}}


def _edge_of(found: Mapping[str, Any]) -> datetime:
    source = _documents.event_of(found["hits"]["hits"][0]["_source"])
    return datetime.fromisoformat(str(next(iter(source.fields.values()))))
