"""GravityZone: what happened may stand below `data`; names of processes and files stand in their paths."""

from __future__ import annotations

from collections.abc import Mapping

from monitoring.parsers import Line, Pairs, any_pairs
from monitoring.parsers._endpoint import refine

__all__ = ["read", "refine"]


def read(line: Line) -> Pairs | None:
    """The pairs of an event, those of `data` as if they stood beside the others."""
    document = line.document
    if document is not None and isinstance(document.get("data"), Mapping) and "module" in document:
        return any_pairs(line._replace(document={**document, **document["data"], "data": None}))
    return any_pairs(line)
