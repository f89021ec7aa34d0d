"""Traefik: the common log form with the router, the server and the time behind it; or JSON."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, add_common, flat_of, put
from monitoring.parsers._access import access_of, add_status

_BEHIND = re.compile(r' (\d+) "([^"]*)" "([^"]*)" (\d+)ms\Z')
_KEYS = {
    "StartUTC": "@timestamp", "time": "@timestamp", "ClientHost": "source.ip", "ClientAddr": "source.ip",
    "ClientPort": "source.port", "ClientUsername": "user.name", "RequestMethod": "http.request.method",
    "RequestHost": "url.domain", "RequestPort": "url.port", "RequestPath": "url.original",
    "RequestScheme": "url.scheme",
    "RequestContentSize": "http.request.body.bytes", "DownstreamContentSize": "http.response.body.bytes",
    "OriginContentSize": "http.response.body.bytes", "Duration": "event.duration", "ServiceAddr": "destination.ip",
    "RouterName": "rule.name", "ServiceName": "service.name", "request_User-Agent": "user_agent.original",
    "request_Referer": "http.request.referrer", "TLSVersion": "tls.version", "TLSCipher": "tls.cipher",
    "level": "log.level",
}  # fmt: skip


def parse(line: Line) -> dict[str, Value] | None:
    """The request of a line; the server's own words otherwise."""
    if line.document is not None:
        return _json(flat_of(line.document))
    fields = access_of(line.text)
    if fields is None:
        own: dict[str, Value] = {"event.category": ("web",), "event.type": ("info",), "event.dataset": "traefik.log"}
        return own if line.app_name else None
    fields["event.dataset"] = "traefik.access"
    behind = _BEHIND.search(line.text)
    if behind is not None:
        put(fields, "rule.name", behind[2])
        if behind[3] not in ("", "-"):
            upstream: dict[str, Value] = {}
            put(upstream, "url.full", behind[3])
            put(fields, "destination.ip", upstream.get("url.domain"))
            put(fields, "destination.port", upstream.get("url.port"))
        fields["event.duration"] = int(behind[4][:12]) * 1_000_000
    return fields


def _json(pairs: dict[str, object]) -> dict[str, Value]:
    fields: dict[str, Value] = {"event.category": ("web",), "event.type": ("info",), "event.dataset": "traefik.log"}
    for key, field in _KEYS.items():
        if key in pairs and field not in fields:
            put(fields, field, pairs[key])
    status = pairs.get("DownstreamStatus", pairs.get("OriginStatus"))
    if "RequestMethod" in pairs:
        fields |= {"event.action": "http-request", "event.type": ("access",), "event.dataset": "traefik.access"}
        put(fields, "network.protocol", "http")
        protocol = str(pairs.get("RequestProtocol", ""))
        put(fields, "http.version", protocol.partition("/")[2])
    if isinstance(status, int):
        add_status(fields, status)
    add_common(fields, pairs)
    return fields
