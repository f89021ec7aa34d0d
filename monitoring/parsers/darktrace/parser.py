"""Darktrace: the other end of a breach is in the filters that were triggered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, mapping_of, put

_FILTERS = {
    "destination ip": "destination.ip", "unique destination ip": "destination.ip", "source ip": "source.ip",
    "destination port": "destination.port", "source port": "source.port", "unique destination port": "destination.port",
    "protocol": "network.transport", "application protocol": "network.protocol", "ip": "destination.ip",
    "connection hostname": "destination.domain", "dns hostname": "dns.question.name", "dns host lookup":
    "dns.question.name", "http path": "url.path", "uri": "url.path", "http method": "http.request.method",
    "http response code": "http.response.status_code", "hostname": "destination.domain", "user agent":
    "user_agent.original", "username": "user.name", "process": "process.name", "event id": "event.code",
}  # fmt: skip
MOST = 64  # filters looked at


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with what its triggered filters saw."""
    for number, one in enumerate(_filters(line.document or {})):
        if number == MOST:
            break
        name = _FILTERS.get(str(one.get("filterType", "")).lower())
        if name is not None and name not in fields:
            put(fields, name, mapping_of(one.get("trigger")).get("value"))
    return fields


def _filters(document: Any) -> Iterator[dict[str, Any]]:
    components = document.get("triggeredComponents") if isinstance(document, dict) else None
    for component in components if isinstance(components, list) else ():
        found = component.get("triggeredFilters") if isinstance(component, dict) else None
        yield from (one for one in (found if isinstance(found, list) else ()) if isinstance(one, dict))
