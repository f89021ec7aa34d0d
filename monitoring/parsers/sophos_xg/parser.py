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
    host, path = str(pairs.get("host", "")), str(fields.get("url.path", ""))
    if pairs["log_type"] == "WAF" and host:
        put(fields, "url.domain", host)
        if path:
            put(fields, "url.full", f"https://{host}{path}{pairs.get('querystring', '')}")
        status = fields.get("http.response.status_code")
        if isinstance(status, int):
            fields["event.outcome"] = "failure" if status >= 400 else "success"
    elif host:
        put(fields, "source.ip", host)
    for key in ("source", "destination"):
        if fields.get(f"{key}.nat.port") == 0:
            del fields[f"{key}.nat.port"]
    return fields
