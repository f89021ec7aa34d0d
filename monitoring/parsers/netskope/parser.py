"""Netskope: an audit of its API says status, method and path in a list."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, put

_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}")
_METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"))


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with the request that an audit record is of."""
    told = pairs.get("supporting_data.data_values")
    for value in told if isinstance(told, list) else ():
        if pairs.get("supporting_data.data_type") == "user" and isinstance(value, str) and _ADDRESS.fullmatch(value):
            put(fields, "source.ip", value)
        elif isinstance(value, int) and 100 <= value < 600:
            put(fields, "http.response.status_code", value)
            fields["event.outcome"] = "success" if value < 400 else "failure"
        elif value in _METHODS:
            put(fields, "http.request.method", value)
        elif isinstance(value, str) and value.startswith("/"):
            put(fields, "url.path", value)
    protocol = str(fields.get("network.protocol", ""))
    if protocol and protocol == str(fields.get("network.application", "")).lower():
        del fields["network.protocol"]  # CEF's app is here the cloud application
    elif "/" in protocol:
        fields["network.protocol"] = protocol.partition("/")[0]
    return fields
