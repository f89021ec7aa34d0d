"""Stormshield: the whole URL out of the host and the path of a web log."""

from __future__ import annotations

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, put


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    path, host = str(pairs.get("arg", "")), str(pairs.get("dstname", ""))
    if path and pairs.get("logtype") in ("web", "plugin", "ssl"):
        put(fields, "url.path", path.partition("?")[0])
        if host and path.startswith("/"):
            put(fields, "url.domain", host)
            scheme = "https" if fields.get("network.protocol") in ("https", "ssl") else "http"
            put(fields, "url.full", f"{scheme}://{host}{path}")
        if pairs.get("op") in ("GET", "POST", "HEAD", "PUT", "CONNECT", "OPTIONS", "DELETE", "PATCH", "PROPFIND"):
            put(fields, "http.request.method", pairs["op"])
    elif pairs.get("logtype") == "ssl" and host:
        put(fields, "url.domain", host)
    return fields
