"""Component and index templates, generated from ecs.yaml. Pure.

A document is the event as ECS has it, nested, plus what makes Elasticsearch answer as the other store does:
    canh_more         fields ecs.yaml does not list, or whose value is not of the listed type; kept, not indexed
    canh_find.more    the same as "name U+001F value", a keyword: unlisted fields are found without a mapping each
    canh_find.<text>  running text folded (small letters, NFC) in pieces, for any part of it and any pattern
`canh_find` is indexed and not kept: `_source` is the event alone.
"""

from __future__ import annotations

from typing import Any

from monitoring import ecs
from monitoring.elastic._settings import ElasticSettings

MORE, FIND = "canh_more", "canh_find"
LONGEST_KEYWORD = 8191  # characters; Lucene takes 32,766 octets a term
PRIORITY = 300
_TYPES = {"long": "long", "float": "double", "boolean": "boolean"}


def find_field(field: str) -> str:
    """Where a text field is indexed."""
    return f"{FIND}.{field.replace('.', '_').lstrip('@')}"


def alias(settings: ElasticSettings) -> str:
    """What readers ask: every day of every stream."""
    return f"{settings.prefix}-events"


def index_of(settings: ElasticSettings, stream: str, day: str) -> str:
    """day: yyyy-mm-dd of receipt."""
    return f"{alias(settings)}-{stream}-{day.replace('-', '.')}"


def copies(settings: ElasticSettings) -> dict[str, Any]:
    """How often a shard is kept, and that nothing is acknowledged before it is kept twice where it can be.

    A new index takes writes before its replicas are in place: what was acknowledged then would be lost with the node.
    """
    return {
        "number_of_replicas": settings.replicas,
        "write.wait_for_active_shards": str(min(2, 1 + settings.replicas)),
        "unassigned.node_left.delayed_timeout": "10s",  # a minute by default, in which nothing could be written
    }


def components(settings: ElasticSettings) -> dict[str, dict[str, Any]]:
    """Component templates by name."""
    index = {
        "number_of_shards": settings.shards,
        **copies(settings),
        "codec": "best_compression",
        "refresh_interval": "30s",  # the writer refreshes what it commits
        "translog": {"durability": "request"},  # acknowledged is on disk
        "mapping": {"total_fields": {"limit": 2000}},
    }
    return {
        f"{settings.prefix}-events-settings": {"settings": {"index": index}},
        f"{settings.prefix}-events-mappings": {"mappings": mappings()},
    }


def index_templates(settings: ElasticSettings, streams: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """One index template a stream, so that each has its own alias beside the common one."""
    return {
        f"{alias(settings)}-{stream}": {
            "index_patterns": [f"{alias(settings)}-{stream}-*"],
            "composed_of": list(components(settings)),
            "priority": PRIORITY + len(stream),  # of two streams, the longer name is the closer one
            "template": {"aliases": {alias(settings): {}, f"{alias(settings)}-{stream}": {}}},
            "_meta": {"made_by": "canh"},
        }
        for stream in streams
    }


def mappings() -> dict[str, Any]:
    """The mapping of an event. Nothing is added by what arrives: no type depends on who came first."""
    properties: dict[str, Any] = {
        MORE: {"type": "object", "enabled": False},
        FIND: {"properties": {"more": {"type": "keyword", "ignore_above": LONGEST_KEYWORD}}},
    }
    _put(properties, "event.id", {"type": "keyword"})
    for field in ecs.fields().values():
        _put(properties, field.name, _mapping(field))
        if field.kind == "text":
            _put(properties, find_field(field.name), {"type": "wildcard", "ignore_above": LONGEST_KEYWORD})
    return {"dynamic": False, "date_detection": False, "_source": {"excludes": [FIND]}, "properties": properties}


def _mapping(field: ecs.FieldType) -> dict[str, Any]:
    if field.kind == "keyword":
        return {"type": "keyword", "ignore_above": LONGEST_KEYWORD}
    if field.kind == "text":  # found in its folded copy
        return {"type": "keyword", "index": False, "doc_values": False}
    if field.kind == "date":
        return {"type": "date_nanos", "format": "strict_date_optional_time_nanos"}
    if field.kind == "ip":
        return {"type": "ip", "ignore_malformed": True}
    return {"type": _TYPES[field.kind]}


def _put(properties: dict[str, Any], name: str, mapping: dict[str, Any]) -> None:
    *parents, leaf = name.split(".")
    for parent in parents:
        properties = properties.setdefault(parent, {}).setdefault("properties", {})
    properties[leaf] = mapping
