"""genugate: the peer of a relay stands in brackets at the end of its sentence."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, put

_PEER = re.compile(r"\((?P<ip>[0-9A-Fa-f.:]{3,45}):(?P<port>\d{1,5})\)")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    peer = _PEER.search(str(pairs.get("msg", ""))[:1024])
    if peer is not None and "destination.ip" not in fields:
        put(fields, "destination.ip", peer["ip"])
        put(fields, "destination.port", peer["port"])
    return fields
