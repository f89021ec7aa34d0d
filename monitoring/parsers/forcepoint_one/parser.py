"""Forcepoint ONE: the time in words, the URL without its scheme."""

from __future__ import annotations

from datetime import datetime

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, put


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    try:
        fields["@timestamp"] = datetime.strptime(str(pairs.get("time", "")), "%d %b %Y %H:%M:%S").isoformat() + "Z"
    except ValueError:
        fields.pop("@timestamp", None)
    url = str(pairs.get("url", ""))
    if url:
        put(fields, "url.full", url if "://" in url else f"{pairs.get('protocol') or 'https'}://{url}")
    return fields
