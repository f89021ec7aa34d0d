"""FortiWeb: the zone in words and in numbers, the whole URL out of its parts, whence an administrator came."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, ip_text

_ZONE = re.compile(r"GMT[+-]\d{1,2}(?::?\d{2})?")
_PLACE = re.compile(r"([\w-]{1,32})\(([0-9A-Fa-f:.]{2,45})\)")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    zone = _ZONE.search(str(pairs.get("timezone", "")))
    if zone is not None:
        fields["event.timezone"] = zone[0]
    host, path = fields.get("url.domain"), str(fields.get("url.path", ""))
    if host and path.startswith("/"):
        scheme = "https" if "https" in str(fields.get("network.protocol", "")) else "http"
        query = fields.get("url.query")
        fields["url.full"] = f"{scheme}://{host}{path}" + (f"?{query}" if query else "")
    for written in (str(pairs.get("ui", "")), str(pairs.get("msg", ""))[:512]):
        match = _PLACE.search(written)
        address = None if match is None else ip_text(match[2])
        if address is not None:
            fields.setdefault("source.ip", address)
    return fields
