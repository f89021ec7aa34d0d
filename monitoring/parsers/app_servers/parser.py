"""What the status of a request means for its outcome."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs
from monitoring.parsers._access import add_status


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The fields, and the outcome of a request that has a status."""
    status = fields.get("http.response.status_code")
    if isinstance(status, int):
        add_status(fields, status)
    return fields
