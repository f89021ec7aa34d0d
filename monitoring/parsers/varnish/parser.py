"""Varnish: access lines as Apache writes them, the URL with its host."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line
from monitoring.parsers._access import access_of


def parse(line: Line) -> dict[str, Value] | None:
    """The request of a line; otherwise the daemon's own words."""
    access = access_of(line.text)
    if access is not None:
        return {"event.dataset": "varnish.access"} | access
    return {"event.dataset": "varnish.log", "event.category": ("web",), "event.type": ("info",)}
