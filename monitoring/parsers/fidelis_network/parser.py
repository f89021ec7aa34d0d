"""Fidelis: what it does not know it writes as `<n/a>`."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    return {name: value for name, value in fields.items() if value != "<n/a>"}
