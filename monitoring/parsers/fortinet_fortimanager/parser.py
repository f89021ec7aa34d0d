"""FortiManager and FortiAnalyzer: commas or spaces between pairs, whence an administrator came."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, ip_text, pairs_of

_COMMAS = re.compile(r"[a-z_]{2,20}=[^=\s\"]{1,64},[a-z_]{2,20}=")
_PLACE = re.compile(r"([\w-]{1,32})\(([0-9A-Fa-f:.]{2,45})\)")


def read(line: Line) -> Pairs | None:
    return pairs_of(line.text, "," if _COMMAS.search(line.text, 0, 400) else " ")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    for key in ("userfrom", "ui", "msg"):
        match = _PLACE.search(str(pairs.get(key, ""))[:512])
        address = None if match is None else ip_text(match[2])
        if match is not None and address is not None:
            fields.setdefault("source.ip", address)
            fields.setdefault("network.protocol", match[1].lower())
    if str(fields.get("observer.serial_number", "")).startswith("FAZ"):
        fields["observer.product"] = "FortiAnalyzer"
    return fields
