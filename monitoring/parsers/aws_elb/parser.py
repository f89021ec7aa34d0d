"""AWS load balancers: the parts of the URL and the outcome, where the rules end."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs
from monitoring.parsers._access import add_status


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The request with its outcome."""
    status = fields.get("http.response.status_code")
    if isinstance(status, int):
        add_status(fields, status)
    if str(fields.get("url.full", "")).startswith(("http", "ws")):
        fields["url.original"] = fields["url.full"]
    return fields
