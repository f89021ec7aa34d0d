"""Windows DNS: names are written by their labels, `(3)www(7)example(3)org(0)`."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs

_LENGTH = re.compile(r"\(\d{1,3}\)")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with the name as it is asked for."""
    name = fields.get("dns.question.name")
    if isinstance(name, str):
        fields["dns.question.name"] = _LENGTH.sub(".", name).strip(".") or "."
    return fields
