"""Canary's console tells more of an incident in a list of pairs."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, put

_DETAILS = {
    "user": "user.name", "username": "user.name", "target": "url.path", "path": "url.path", "domain": "user.domain",
    "user-agent": "user_agent.original", "useragent": "user_agent.original", "hostname": "source.domain",
    "filename": "file.name", "dst port": "destination.port", "source port": "source.port",
}  # fmt: skip
MOST = 64  # pairs looked at


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with the details that have a field."""
    details = (line.document or {}).get("AdditionalDetails")
    for one in details[:MOST] if isinstance(details, list) else ():
        if isinstance(one, list) and len(one) == 2:
            name = _DETAILS.get(str(one[0]).lower())
            if name is not None:
                put(fields, name, one[1])
    return fields
