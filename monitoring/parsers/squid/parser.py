"""Squid's access lines: `epoch.ms elapsed client code/status octets METHOD url user hierarchy/peer type`."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, put
from monitoring.parsers._access import access_of, add_status

_NATIVE = re.compile(
    r"(?P<when>\d{9,10}(?:\.\d{1,6})?) {1,12}(?:(?P<elapsed>-?\d{1,12}) )?(?P<client>\S{1,255}) (?P<code>[A-Z_]{3,64}"
    r"(?:[a-z_]{0,16}))/(?P<status>\d{1,3}) "
    r"(?P<octets>\d{1,18}) (?P<method>\S{1,32}) (?P<url>\S{1,8192})(?: (?P<user>\S{1,255}))?(?: "
    r"(?P<hierarchy>[A-Z_]{3,64})/(?P<peer>\S{1,255}))?"
    r"(?: (?P<type>\S{1,255}))?"
)
# `%ts.%tu [%tl] %tr %>a %{X-Forwarded-For}>h %ui %rm %ru HTTP/%rv %mt %>Hs %<st %Ss %Sh/%<A`, which many copied.
_DATED = re.compile(
    r"(?:(?P<when>\d{9,10}\.\d{1,6}) )?\[[^\]]{1,40}\] (?P<elapsed>\d{1,12}) (?P<client>\S{1,255}) "
    r"\S{1,255} (?P<user>\S{1,255}) (?P<method>[A-Z]{3,32}) (?P<url>\S{1,8192}) HTTP/[\d.]{1,4} "
    r"(?P<type>\S{1,255}) (?P<status>\d{3}) (?P<octets>\d{1,18}) (?P<code>[A-Z_]{3,64}) "
    r"(?P<hierarchy>[A-Z_]{3,64})/(?P<peer>\S{1,255})"
)
_RESULT = re.compile(r" ((?:TCP|UDP|NONE)[A-Z_]{0,48})(?:/\d{3})?:((?:HIER_)?[A-Z_]{3,48})")
_CACHE = re.compile(r"(?:(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d)(?:\.\d{1,6})? ?)?(?:kid\d+)?\| (.*)", re.DOTALL)


def parse(line: Line) -> dict[str, Value] | None:
    """The request of a line; Squid's own words otherwise; None for anything else."""
    native = (_NATIVE.search(line.text[:512]) and _NATIVE.search(line.text)) or _DATED.match(line.text)
    if native is not None:
        return _native(native)
    access = access_of(line.text)
    if access is not None:
        result = _RESULT.search(line.text)
        if result is None and not line.app_name:
            return None
        return {"event.dataset": "squid.access", **access} | _result(result[1] if result else "", access)
    cache = _CACHE.match(line.text)
    if cache is None and "squid" not in line.app_name:
        return None
    fields: dict[str, Value] = {"event.dataset": "squid.cache", "event.category": ("process",), "event.type": ("info",)}
    if cache is not None:
        put(fields, "@timestamp", cache[1])
        fields["message"] = cache[2]
    return fields


def _native(match: re.Match[str]) -> dict[str, Value]:
    fields: dict[str, Value] = {
        "event.dataset": "squid.access",
        "event.action": "http-request",
        "event.category": ("web",),
        "event.type": ("access",),
        "network.protocol": "http",
        "http.response.bytes": int(match["octets"]),
    }
    put(fields, "@timestamp", match["when"])
    if match["elapsed"]:
        fields["event.duration"] = max(int(match["elapsed"]), 0) * 1_000_000
    put(fields, "http.request.method", match["method"])
    put(fields, "source.ip", match["client"])
    if "source.ip" not in fields:
        put(fields, "source.domain", match["client"])
    if match["user"] != match["client"]:  # e2guardian names the address twice
        put(fields, "user.name", match["user"])
        put(fields, "source.user.name", match["user"])
    url = match["url"]
    put(fields, "url.original", url)
    if "://" in url[:16]:
        put(fields, "url.full", url)
    if match["peer"]:
        put(fields, "destination.ip", match["peer"])
    put(fields, "http.response.mime_type", match["type"])
    if len(match["status"]) == 3 and match["status"] != "000":
        add_status(fields, int(match["status"]))
    return fields | _result(match["code"], fields)


def _result(code: str, fields: dict[str, Value]) -> dict[str, Value]:
    if not code:
        return {}
    found: dict[str, Value] = {"canh.squid.result": code}
    if "DENIED" in code:
        found["event.outcome"] = "failure"
        found["event.reason"] = code
    return found
