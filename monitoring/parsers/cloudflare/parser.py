"""Cloudflare: the URL of a request in one piece."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, put


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with `url.full` where a request has its parts."""
    host = pairs.get("ClientRequestHost")
    path = pairs.get("ClientRequestURI") or f"{pairs.get('ClientRequestPath', '')}{pairs.get('ClientRequestQuery', '')}"
    if isinstance(host, str) and host and "url.full" not in fields:
        is_plain = str(pairs.get("ClientSSLProtocol", "")) == "none"
        scheme = str(pairs.get("ClientRequestScheme") or ("http" if is_plain else "https"))
        put(fields, "url.full", f"{scheme}://{host}{path}")
    if "QueryName" in pairs:
        fields.setdefault("network.transport", "tcp" if str(pairs.get("Protocol", "")) in ("https", "tls") else "udp")
    return fields
