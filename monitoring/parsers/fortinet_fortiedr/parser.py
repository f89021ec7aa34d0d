"""FortiEDR: pairs with a colon in each and a semicolon between."""

from __future__ import annotations

from monitoring.parsers import Line, Pairs, any_pairs


def read(line: Line) -> Pairs | None:
    if "CEF:" in line.text:
        return any_pairs(line)
    pairs: Pairs = {}
    for part in line.text[:16384].split(";"):
        key, colon, value = part.partition(":")
        if colon and value.strip():
            pairs.setdefault(key.strip(), value.strip())
    return pairs
