"""Tailscale: streamed entries stand below `event`, their times beside it."""

from __future__ import annotations

from collections.abc import Mapping

from monitoring.parsers import Line, Pairs, flat_of


def read(line: Line) -> Pairs | None:
    """The pairs of an entry; None when it is no entry of Tailscale's."""
    document = line.document
    if document is None:
        return None
    inner, outer = document.get("event"), document.get("fields")
    if not isinstance(inner, Mapping):
        return flat_of(document)
    if not isinstance(inner.get("actor"), Mapping) and "nodeId" not in inner:
        return None
    pairs = flat_of(inner) | (flat_of(outer) if isinstance(outer, Mapping) else {})
    return {**pairs, "time": document.get("time")} if "time" in document else pairs
