"""What agents ask an Elasticsearch before they send: answered so that they go on and set up nothing.

Only questions are answered. Templates, policies and pipelines that an agent wants to install are
acknowledged and forgotten: what is collected here has one field list of its own.
"""

from __future__ import annotations

import re
from typing import Any

VERSION = "9.5.0"  # whose `_bulk` this speaks; agents refuse a server older than themselves
_PROBED = re.compile(
    r"/(_ilm|_index_template|_template|_component_template|_ingest/pipeline|_data_stream|_alias|_lifecycle)(/.*)?"
)
_INDEX = re.compile(r"/[^_/][^/]*")

_ABOUT: dict[str, Any] = {
    "name": "canh",
    "cluster_name": "canh",
    "cluster_uuid": "canh",
    "version": {
        "number": VERSION,
        "build_flavor": "default",
        "build_type": "tar",
        "build_hash": "0",
        "build_date": "2026-01-01T00:00:00.000Z",
        "build_snapshot": False,
        "lucene_version": "10.0.0",
        "minimum_wire_compatibility_version": "8.18.0",
        "minimum_index_compatibility_version": "8.0.0",
    },
    "tagline": "You Know, for Search",  # some clients check that it is there
}
_LICENSE: dict[str, Any] = {"status": "active", "uid": "canh", "type": "basic", "mode": "basic"}
_HEALTH: dict[str, Any] = {
    "cluster_name": "canh",
    "status": "green",
    "timed_out": False,
    "number_of_nodes": 1,
    "number_of_data_nodes": 1,
}
_FIXED: dict[str, dict[str, Any]] = {
    "/": _ABOUT,
    "/_license": {"license": _LICENSE},
    "/_xpack": {
        "build": {"hash": "0"},
        "license": _LICENSE,
        "features": {"ilm": {"available": False, "enabled": False}},
    },
    "/_cluster/health": _HEALTH,
    "/_cat/health": _HEALTH,
}


def answer_to(method: str, path: str) -> dict[str, Any] | None:
    """The document that answers a question, None for what is no question of ours."""
    if method in ("GET", "HEAD"):
        if path in _FIXED:
            return _FIXED[path]
        return {} if _PROBED.fullmatch(path) or (method == "HEAD" and _INDEX.fullmatch(path)) else None
    if method in ("PUT", "POST") and (_PROBED.fullmatch(path) or (method == "PUT" and _INDEX.fullmatch(path))):
        return {"acknowledged": True}
    return None
