"""Suricata: the URL of a request in one piece, and how grave an alert is in the word other sensors use."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, put

_GRAVE = {"1": "high", "2": "medium", "3": "low"}  # its priorities: 1 is the worst


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with `url.full` where a request has its host and its path, and `canh.attack.severity` of an alert."""
    put(fields, "canh.attack.severity", _GRAVE.get(str(pairs.get("alert.severity"))))
    host, path = pairs.get("http.hostname"), pairs.get("http.url")
    if isinstance(path, str) and "url.full" not in fields:
        if path.startswith(("http://", "https://")):
            put(fields, "url.full", path)
        elif isinstance(host, str) and path.startswith("/"):
            put(fields, "url.full", f"http://{host}{path}")
    return fields
