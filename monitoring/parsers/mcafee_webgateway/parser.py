"""Web Gateway: the user twice, and what was stopped by its status."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    if "source.user.name" in fields:
        fields["user.name"] = fields["source.user.name"]
    is_denied = fields.get("http.response.status_code") in (403, 407) or "canh.threat.name" in fields
    fields["event.type"] = ("access", "denied") if is_denied else ("access", "allowed")
    fields["event.outcome"] = "failure" if is_denied else "success"
    return fields
