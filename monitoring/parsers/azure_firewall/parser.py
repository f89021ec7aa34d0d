"""Azure Firewall: the name that an application rule was asked for is that of a URL too."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    """The event with the domain of its URL."""
    if str(fields.get("network.protocol", "")).startswith("http") and "destination.domain" in fields:
        fields.setdefault("url.domain", fields["destination.domain"])
    return fields
