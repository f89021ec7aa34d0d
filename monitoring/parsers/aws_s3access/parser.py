"""S3 access lines: the outcome of the request, and the name of a caller of IAM."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs
from monitoring.parsers._access import add_status


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The request with its outcome."""
    status = fields.get("http.response.status_code")
    if isinstance(status, int):
        add_status(fields, status)
    identity = str(fields.get("user.id", ""))
    if identity.startswith("arn:"):
        fields["user.name"] = identity.rpartition("/")[2]
    return fields
