"""FortiMail: addresses that stand between brackets or inside a sentence."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, pairs_of, put

_ADDRESS = re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d{1,3}){3})(?![\w.])")
_USER = re.compile(r"(?i)\buser '?([^\s',()]{1,128})|from=<([^<>]{1,256})>")
_COMMAS = re.compile(r"date=[\d-]{8,10},")


def read(line: Line) -> Pairs | None:
    return pairs_of(line.text, "," if _COMMAS.search(line.text, 0, 200) else " ")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    client = str(pairs.get("client_name", "")).strip("[]")
    put(fields, "source.domain", client)
    for text in (client, str(pairs.get("ui", "")), str(pairs.get("msg", ""))[:1024]):
        found = _ADDRESS.search(text)
        if found is not None and "source.ip" not in fields:
            put(fields, "source.ip", found[1])
    user = _USER.search(str(pairs.get("msg", ""))[:1024])
    if user is not None and user[1] and "user.name" not in fields:
        put(fields, "user.name", user[1])
    return fields
