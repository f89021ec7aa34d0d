"""Zyxel: a card that an access point names in its sentence; addresses and words that are none."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, put

_STATION = re.compile(r"\b(?:Station|STA):? ((?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2})\b(?: (connected|disconnected))?")
_NETWORK = re.compile(r"\bSSID: ?([^,]{1,64})")
_NONE = frozenset(("0.0.0.0", "others", "unknown", "::"))  # noqa: S104  what the device writes for no one


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    for name in ("source.ip", "destination.ip", "network.protocol", "user.name", "source.user.name"):
        if fields.get(name) in _NONE:
            del fields[name]
    text = line.text[:4096]
    station, network = _STATION.search(text), _NETWORK.search(text)
    if station is not None:
        put(fields, "source.mac", station[1])
        put(fields, "canh.wlan.ssid", None if network is None else network[1])
        fields |= {"event.category": ("session", "network"), "event.type": ("info",)}
        if station[2]:
            fields |= {"event.type": ("start" if station[2] == "connected" else "end",),
                       "event.action": f"station-{station[2]}"}  # fmt: skip
    return fields
