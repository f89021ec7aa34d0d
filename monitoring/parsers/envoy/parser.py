"""Envoy's access lines: `[time] "request" status flags ... "forwarded for" "agent" "id" "authority" "upstream" ...`."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, add_common, flat_of, put
from monitoring.parsers._access import add_request, add_status

_LINE = re.compile(r'\[(\S{1,40})\] "([^"]*)" (\d{1,3}) (\S+) (?:\S+ \S+ (?:"[^"]*" )?)?(.*)', re.DOTALL)
_QUOTED = re.compile(r'"([^"]*)"')
_ENDS = re.compile(r"(?:^| )((?:\d{1,3}\.){3}\d{1,3}:\d{1,5}|\[[0-9A-Fa-f:]{2,45}\]:\d{1,5})")
_KEYS = {
    "start_time": "@timestamp", "method": "http.request.method", "path": "url.original", "authority": "url.domain",
    "downstream_remote_address": "source.ip", "downstream_local_address": "destination.ip", "x_forwarded_for":
    "network.forwarded_ip", "user_agent": "user_agent.original", "request_id": "http.request.id", "bytes_sent":
    "http.response.body.bytes", "bytes_received": "http.request.body.bytes", "upstream_host": "canh.upstream.address",
    "upstream_cluster": "canh.upstream.name", "requested_server_name": "tls.client.server_name",
    "route_name": "rule.name",
    "response_flags": "event.reason",
}  # fmt: skip


def parse(line: Line) -> dict[str, Value] | None:
    """The request; None when the line is none."""
    if line.document is not None:
        pairs = flat_of(line.document)
        fields: dict[str, Value] = {"network.protocol": "http"}
        for key, field in _KEYS.items():
            put(fields, field, pairs.get(key))
        code = pairs.get("response_code")
        if str(code).isdecimal():
            add_status(fields, int(str(code)))
        add_common(fields, pairs)
        return fields
    match = _LINE.match(line.text)
    if match is None:
        return {"event.category": ("network",), "event.type": ("info",)} if line.app_name else None
    return _line(match)


def _line(match: re.Match[str]) -> dict[str, Value]:
    when, request, status, flags, rest = match.groups()
    fields: dict[str, Value] = {"@timestamp": when}
    put(fields, "event.reason", flags)
    add_request(fields, request if request != "- - -" else "-")
    add_status(fields, int(status))
    quoted = _QUOTED.findall(rest)
    if len(quoted) >= 5:
        names = (
            "network.forwarded_ip",
            "user_agent.original",
            "http.request.id",
            "url.domain",
            "canh.upstream.address",
        )
        for name, value in zip(names, quoted[-5:], strict=True):
            put(fields, name, value)
    after = rest.rpartition('"')[2]
    ends = _ENDS.findall(after)
    if len(ends) >= 3:  # Istio: upstream's local, then the two ends of the caller's connection
        put(fields, "destination.ip", ends[-2])
        put(fields, "source.ip", ends[-1])
    elif "network.forwarded_ip" in fields:
        put(fields, "source.ip", fields["network.forwarded_ip"])
    upstream = fields.get("canh.upstream.address")
    if upstream and "destination.ip" not in fields:
        put(fields, "destination.ip", str(upstream).rpartition("//")[2])
    host, colon, port = str(fields.get("url.domain", "")).rpartition(":")
    if colon and port.isdecimal():
        fields["url.domain"], fields["url.port"] = host, int(port[:5])
    if request == "- - -":  # a TCP connection
        fields |= {"event.category": ("network",), "event.type": ("connection",), "event.action": "connection-allowed"}
        del fields["http.response.status_code"]
    return fields
