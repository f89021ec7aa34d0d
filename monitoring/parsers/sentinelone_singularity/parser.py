"""SentinelOne: names of processes and files stand in their paths; CEF carries a printed list of addresses."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, put
from monitoring.parsers._endpoint import refine as _refine

_PRINTED = re.compile(r"\[u?'([0-9A-Fa-f.:]{2,45})'")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with the names of processes and the first address of the endpoint."""
    printed = _PRINTED.match(str(pairs.get("sourceIpAddresses", ""))[:64])
    if printed:
        put(fields, "host.ip", printed[1])
        put(fields, "source.ip", printed[1])
    return _refine(line, fields, pairs)
