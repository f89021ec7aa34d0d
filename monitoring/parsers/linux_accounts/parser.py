"""shadow-utils: where a line names one account only, it is the user of the event too (ECS, use of the user fields)."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event; who did it stays where the line tells it."""
    account = fields.get("user.target.name")
    if account is not None:
        fields.setdefault("user.name", account)
    return fields
