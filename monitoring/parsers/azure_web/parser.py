"""Requests at Azure's edges: the URL as one piece where the log has its parts."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    """The event with `url.full`."""
    original = str(fields.get("url.original", ""))
    if "://" in original[:16]:
        fields["url.full"] = original
    elif original.startswith("/") and "url.domain" in fields:
        scheme = "https" if str(pairs.get("properties.sslEnabled", "")).lower() == "on" else "http"
        fields["url.full"] = f"{scheme}://{fields['url.domain']}{original}"
    return fields
