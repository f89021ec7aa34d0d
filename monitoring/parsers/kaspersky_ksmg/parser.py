"""KSMG: pairs in quotes with `: ` between them."""

from __future__ import annotations

import re

from monitoring.parsers import Line, Pairs, cef_of

_PAIR = re.compile(r"([a-z][a-z0-9-]{1,48})=\"([^\"]{0,2048})\"")
_NODE = re.compile(r"([0-9A-Fa-f.:]{3,45}):\d{1,5} KSMG: ")


def read(line: Line) -> Pairs | None:
    if "CEF:" in line.text:
        return cef_of(line.text)
    text = line.text[:16384]
    found: Pairs = dict(_PAIR.findall(text))
    node = _NODE.search(text)
    if node is not None:
        found["node"] = node[1]
    return found if "event-type" in found or "event" in found else None
