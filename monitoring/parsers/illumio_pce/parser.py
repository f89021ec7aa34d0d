"""Illumio: who logged in stands in the notes of the audit event."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, put

_NAME = re.compile(r'"user":\{"href":"[^"]{0,128}","username":"([^"]{1,128})"')
_ADDRESS = re.compile(r'"src_ip":"([0-9A-Fa-f.:]{2,45})"')


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    text = line.text[:16384]
    name, address = _NAME.search(text), _ADDRESS.search(text)
    if name is not None:
        fields.pop("destination.user.name", None)
        put(fields, "user.name", name[1])
    if address is not None:
        fields.setdefault("source.ip", address[1])
    return fields
