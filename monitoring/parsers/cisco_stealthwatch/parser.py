"""Stealthwatch: pairs with bars between, the first four of them without a name."""

from __future__ import annotations

from monitoring.parsers import Line, Pairs, any_pairs


def read(line: Line) -> Pairs | None:
    if "LEEF:" in line.text or "CEF:" in line.text:
        return any_pairs(line)
    parts = line.text[:16384].split("|")
    if len(parts) < 5:
        return None
    found: Pairs = {}
    for part in parts:
        key, is_pair, value = part.partition("=")
        if is_pair and value and value not in ("-", "Unknown"):
            found.setdefault(key.strip(), value.strip())
    at = next((n for n, part in enumerate(parts) if part.lower().endswith("stealthwatch")), -1)
    if at >= 0 and "=" not in parts[at + 1] and at + 2 < len(parts):
        found["version"], found["id"] = parts[at + 1], parts[at + 2]
    return found or None
