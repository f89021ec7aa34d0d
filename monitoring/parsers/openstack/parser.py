"""OpenStack: the outcome of a request."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs
from monitoring.parsers._access import add_status


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with what its status says."""
    status = fields.get("http.response.status_code")
    if isinstance(status, int):
        add_status(fields, status)
    return fields
