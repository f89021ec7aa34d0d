"""ACI and UCS: which of the two it is; the user `internal` is nobody."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed

_UCS = frozenset(("UCSM", "CIMC"))


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    if fields.get("canh.cisco.facility") in _UCS:
        fields |= {"observer.product": "UCS", "observer.type": "server"}
    if fields.get("user.name") == "internal":
        del fields["user.name"]
    if "LINK_DOWN" in str(fields.get("canh.cisco.mnemonic", "")):
        fields |= {"event.category": ("network",), "event.type": ("info", "change"), "event.action": "interface-down"}
    return fields
