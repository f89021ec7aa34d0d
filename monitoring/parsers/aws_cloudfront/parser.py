"""CloudFront: columns between tabs, or JSON with the names of the columns; the agent is written as in a URL."""

from __future__ import annotations

from urllib.parse import unquote

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, put

_COLUMNS = (
    "date", "time", "edge", "sc_bytes", "c_ip", "method", "host", "stem", "status", "referer", "agent", "query",
    "cookie", "result", "request_id", "host_header", "scheme", "cs_bytes", "taken", "forwarded", "tls", "cipher",
    "response_result", "version", "fle", "fle_fields", "c_port", "ttfb", "detailed", "type", "length",
)  # fmt: skip
_NAMES = {
    "x-edge-location": "edge", "sc-bytes": "sc_bytes", "c-ip": "c_ip", "cs-method": "method", "cs(Host)": "host",
    "cs-uri-stem": "stem", "sc-status": "status", "cs(Referer)": "referer", "cs(User-Agent)": "agent",
    "cs-uri-query": "query", "x-edge-result-type": "result", "x-edge-request-id": "request_id",
    "x-host-header": "host_header", "cs-protocol": "scheme", "cs-bytes": "cs_bytes", "time-taken": "taken",
    "x-forwarded-for": "forwarded", "ssl-protocol": "tls", "ssl-cipher": "cipher", "cs-protocol-version": "version",
    "c-port": "c_port", "sc-content-type": "type", "timestamp": "timestamp", "timestamp(ms)": "timestamp",
}  # fmt: skip


def read(line: Line) -> Pairs | None:
    """The columns by their names."""
    if line.document is not None:
        pairs = {_NAMES.get(key, key): value for key, value in line.document.items()}
    else:
        pairs = {
            name: value for name, value in zip(_COLUMNS, line.text.split("\t"), strict=False) if value not in ("", "-")
        }
    return {"date": "", "time": "", **pairs}


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The request with its time, its agent and its URL."""
    fields["@timestamp"] = f"{pairs['date']} {pairs['time']}".strip() or str(pairs.get("timestamp", ""))
    put(fields, "user_agent.original", unquote(unquote(str(pairs.get("agent", "")))))
    domain, path = fields.get("url.domain"), str(fields.get("url.path", ""))
    if domain is not None and path.startswith("/"):
        query = pairs.get("query")
        tail = f"?{query}" if query not in (None, "", "-") else ""
        put(fields, "url.full", f"{pairs.get('scheme', 'https')}://{domain}{path}{tail}")
    return fields
