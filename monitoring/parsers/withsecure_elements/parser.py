"""WithSecure: names of processes and files stand in their paths."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, _endpoint


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    fields.pop("host.port", None)  # of `address/22` the length of its net
    return _endpoint.refine(line, fields, pairs)
