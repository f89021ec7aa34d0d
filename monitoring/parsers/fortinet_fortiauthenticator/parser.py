"""FortiAuthenticator: day and time apart, and the address of who logs in only in the sentence."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, ip_text, put

_FROM = re.compile(r"\bfrom ([0-9A-Fa-f.:]{3,45})\b")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    day, time = str(pairs.get("date", "")), str(pairs.get("time", ""))
    if day and time:
        fields["@timestamp"] = f"{day}T{time}"
    came = _FROM.search(line.text[:2048])
    if came is not None and "source.ip" not in fields and ip_text(came[1]):
        put(fields, "source.ip", came[1])
    return fields
