"""Mimecast: pairs with bars between, or JSON."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, any_pairs, put

_ADDRESS = re.compile(r"\bIP: ([0-9A-Fa-f.:]{3,45})")


def read(line: Line) -> Pairs | None:
    if line.document is not None:
        return any_pairs(line)
    pairs: Pairs = {}
    for part in line.text[:16384].split("|"):
        key, sign, value = part.partition("=")
        if sign and value.strip():
            pairs.setdefault(key.strip(), value.strip())
    return pairs or None


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with the address that an audit record has in its sentence."""
    if "source.ip" not in fields:
        address = _ADDRESS.search(str(pairs.get("eventInfo", ""))[:4096])
        put(fields, "source.ip", address[1] if address is not None else None)
    return fields
