"""Secret Server: what a launched session goes to stands in the sentence only."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, ip_text, put

_HOST = re.compile(r"\bHost: \[([^\[\]]{1,253})\]")
_ACCOUNT = re.compile(r"\bUsername: \[([^\[\]]{1,128})\]")
_ITEM = re.compile(r"\bItem name: (.{1,256}?) \(Item Id: ")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    text = line.text[:4096]
    host, account, item = _HOST.search(text), _ACCOUNT.search(text), _ITEM.search(text)
    if host is not None:
        put(fields, "destination.ip" if ip_text(host[1]) else "destination.domain", host[1])
    if account is not None:
        put(fields, "user.target.name", account[1])
    told = str(pairs.get("cef.name", "")).lower()
    if item is not None and told.startswith(("group", "user -")):
        put(fields, "group.name" if told.startswith("group") else "user.target.name", item[1])
    return fields
