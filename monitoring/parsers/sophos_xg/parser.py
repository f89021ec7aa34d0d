"""Sophos Firewall: the time out of two keys, whose `device_name` is the product's in the newer format."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, put

NANOSECONDS = 1_000_000_000


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    if "date" in pairs and "time" in pairs:
        fields["@timestamp"] = f"{pairs['date']} {pairs['time']}"
    name = str(pairs.get("device_name", ""))
    if name and name != "SFW":
        fields["observer.name"] = name
    for key in ("duration", "con_duration"):
        if str(pairs.get(key, "")).isdecimal():
            fields["event.duration"] = int(str(pairs[key])) * NANOSECONDS
    if pairs["log_type"] in ("IDP", "IPS"):
        put(fields, "rule.name", pairs.get("signature_msg", ""))
        put(fields, "rule.id", pairs.get("signature_id", ""))
    if "message" not in fields:
        put(fields, "message", pairs.get("additional_information", ""))
    if fields.get("source.ip") is None and "source.domain" in fields and "host" in pairs:
        put(fields, "source.domain", pairs["host"])
    return fields
