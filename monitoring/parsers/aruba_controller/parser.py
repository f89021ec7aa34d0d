"""Which card is which: an access point's, a network's (BSSID), a client's."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, put

_MAC = r"([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5})"
_ROLES = (
    (re.compile(rf"(?:[Cc]lient|[Ss]tation|[Uu]ser|STA|sta|MAC=|mac|usermac|<)[ :=(]{{0,2}}{_MAC}"), "source.mac"),
    (re.compile(rf"BSSID[ :=(]{{0,2}}{_MAC}"), "destination.mac"),
    (re.compile(rf"(?:AP\(|AP |Detector-AP-MAC:|Detector-AP-Name:|AP-MAC[ :=]){_MAC}"), "observer.mac"),
)
_SSID = re.compile(r"SSID ([^\s,)]{1,32})(?: on|\)|,)")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed:
    text = line.text[:2048]
    for pattern, name in _ROLES:
        found = pattern.search(text)
        if found is not None:
            put(fields, name, found[1])
    if fields.get("source.mac") == fields.get("observer.mac") and "destination.mac" in fields:
        fields["source.mac"] = fields["destination.mac"]
    network = _SSID.search(text)
    if network is not None:
        put(fields, "network.name", network[1])
    return fields
