"""Mimecast: pairs with bars between, or JSON."""

from __future__ import annotations

from monitoring.parsers import Line, Pairs, any_pairs


def read(line: Line) -> Pairs | None:
    if line.document is not None:
        return any_pairs(line)
    pairs: Pairs = {}
    for part in line.text[:16384].split("|"):
        key, sign, value = part.partition("=")
        if sign and value.strip():
            pairs.setdefault(key.strip(), value.strip())
    return pairs or None
