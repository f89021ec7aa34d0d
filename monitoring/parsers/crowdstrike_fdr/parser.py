"""CrowdStrike's raw events: a name from its path."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    """The event with the names that its paths end in."""
    for path, name in (("process.executable", "process.name"), ("file.path", "file.name")):
        if path in fields:
            fields.setdefault(name, re.split(r"[\\/]", str(fields[path]))[-1])
    if fields.get("event.action") == "login" and fields.get("destination.ip") == fields.get("source.ip"):
        fields.pop("destination.ip", None)
        fields.pop("destination.port", None)
    return fields
