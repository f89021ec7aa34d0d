"""Wiz: an actor that is an address is no user."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, ip_text, put


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event; an actor known by his address alone is its source."""
    address = ip_text(str(fields.get("user.name", "")))
    if address is not None:
        del fields["user.name"]
        put(fields, "source.ip", address)
    return fields
