"""Auth0: streams put the log entry below `data`."""

from __future__ import annotations

from collections.abc import Mapping

from monitoring.parsers import Line, Pairs, flat_of


def read(line: Line) -> Pairs | None:
    """The pairs of the entry."""
    document = line.document
    if document is None:
        return None
    for key in ("detail", "data"):
        inner = document.get(key)
        if isinstance(inner, Mapping):
            return read(line._replace(document=inner)) if "data" in inner else flat_of(inner)
    return flat_of(document)
