"""NPS: the columns of its database format by place, the elements of its XML by name."""

from __future__ import annotations

import html
import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, csv_of, put

_COLUMNS = (
    "Computer-Name", "Event-Source", "date", "clock", "Packet-Type", "User-Name", "Fully-Qualified-User-Name",
    "Called-Station-Id", "Calling-Station-Id", "Callback-Number", "Framed-IP-Address", "NAS-Identifier",
    "NAS-IP-Address", "NAS-Port", "Client-Vendor", "Client-IP-Address", "Client-Friendly-Name", "Event-Timestamp",
    "Port-Limit", "NAS-Port-Type", "Connect-Info", "Framed-Protocol", "Service-Type", "Authentication-Type",
    "NP-Policy-Name", "Reason-Code", "Class",
)  # fmt: skip
_ELEMENT = re.compile(r"<([A-Za-z][\w-]{1,63})(?: data_type=\"\d\")?>([^<]{1,1024})</")


def read(line: Line) -> Pairs | None:
    """The attributes of the request or the answer; None for another line."""
    text = line.text[:16384]
    if text.startswith("<"):
        found: Pairs = {}
        for name, value in _ELEMENT.findall(text):
            found.setdefault(name, html.unescape(value))
        found["time"] = found.get("Timestamp", "")
        return found if "Packet-Type" in found or "Event-Source" in found else None
    pairs = {name: value for name, value in zip(_COLUMNS, csv_of(text), strict=False) if value}
    if "clock" not in pairs:
        return None
    return {**pairs, "time": f"{pairs['date']} {pairs['clock']}"}


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event; a station that calls from an address has no hardware address."""
    station = str(pairs.get("Calling-Station-Id", ""))
    if station.count(".") == 3:
        put(fields, "source.ip", station)
    return fields
