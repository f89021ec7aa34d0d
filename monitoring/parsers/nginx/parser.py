"""nginx: access lines (common, combined, JSON) and error lines, under one tag or in files of their own."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, add_common, flat_of, put
from monitoring.parsers._access import access_of, add_request, add_status

_ERROR = re.compile(r"(?:(\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2}) )?\[(\w+)\] (\d+)#(\d+): (?:\*(\d+) )?(.*)", re.DOTALL)
_DETAIL = re.compile(r', (client|server|host|upstream|referrer|login): "?([^",]+)"?')
_IGNORED = frozenset(("request", "host", "http_host", "uri", "request_uri", "server_name", "status"))
_CONNECTED = re.compile(r"client ([0-9A-Fa-f:.]{2,45}):(\d{1,5}) connected to ([0-9A-Fa-f:.]{2,45}):(\d{1,5})")
_ENDS = ("source.ip", "source.port", "destination.ip", "destination.port")
_REQUEST = re.compile(r', request: "([A-Z]{1,16} [^"]+)"')
_USER = re.compile(r"user \"([^\"]{1,255})\"(?: was not found|: password mismatch)")
_MODSECURITY = re.compile(r'\[(id|msg|severity|uri|unique_id|hostname) "([^"]*)"\]')
_JSON = {
    "remote_addr": "source.ip", "remote_port": "source.port", "client_ip": "source.ip", "remote_user": "user.name",
    "time_local": "@timestamp", "time_iso8601": "@timestamp", "msec": "@timestamp",
    "request_method": "http.request.method",
    "request_uri": "url.original", "uri": "url.path", "args": "url.query", "host": "url.domain",
    "http_host": "url.domain",
    "server_name": "url.domain", "status": "http.response.status_code", "body_bytes_sent": "http.response.body.bytes",
    "http_referrer": "http.request.referrer", "http_referer": "http.request.referrer",
    "http_user_agent": "user_agent.original",
    "http_x_forwarded_for": "network.forwarded_ip", "scheme": "url.scheme", "server_addr": "destination.ip",
    "server_port": "destination.port", "request_id": "http.request.id", "request_length": "http.request.bytes",
    "bytes_sent": "http.response.bytes", "upstream_addr": "canh.upstream.address", "ssl_protocol": "tls.version",
    "ssl_cipher": "tls.cipher", "hostname": "host.name", "remoteAddr": "source.ip",
}  # fmt: skip


def parse(line: Line) -> dict[str, Value] | None:
    """The request or the error of a line; other words of nginx have only their message."""
    if line.document is not None:
        return _json(flat_of(line.document))
    error = _ERROR.match(line.text)
    if error is not None:
        return _error(error)
    access = access_of(line.text)
    if access is not None:
        return {"event.dataset": "nginx.access"} | access
    return (
        {"event.dataset": "nginx.error", "event.category": ("web",), "event.type": ("info",)} if line.app_name else None
    )


def _json(pairs: dict[str, object]) -> dict[str, Value]:
    fields: dict[str, Value] = {
        "event.dataset": "nginx.access",
        "event.action": "http-request",
        "event.category": ("web",),
        "event.type": ("access",),
        "network.protocol": "http",
    }
    for key, field in _JSON.items():
        if key in pairs and field not in fields:
            put(fields, field, pairs[key])
    add_request(fields, str(pairs.get("request", "")))
    status = fields.get("http.response.status_code")
    if isinstance(status, int):
        add_status(fields, status)
    add_common(fields, pairs, _IGNORED)
    return fields


def _error(match: re.Match[str]) -> dict[str, Value]:
    when, level, pid, thread, connection, message = match.groups()
    fields: dict[str, Value] = {
        "event.dataset": "nginx.error",
        "event.category": ("web",),
        "event.type": ("error",) if level in ("error", "crit", "alert", "emerg") else ("info",),
        "log.level": level,
        "process.pid": int(pid[:9]),
        "process.thread.id": int(thread[:9]),
        "message": message,
    }
    if when:
        fields["@timestamp"] = when
    if connection:
        fields["canh.connection.id"] = connection
    for name, value in _DETAIL.findall(message):
        if name == "client":
            put(fields, "source.ip", value)
        elif name == "server":
            put(fields, "destination.ip", value)  # of mail and stream it is an address; of the web a name
            fields.pop("destination.domain", None)
        elif name == "login":
            put(fields, "user.name", value)
        elif name == "host":
            put(fields, "url.domain", value.partition(":")[0])
        elif name == "upstream":
            put(fields, "canh.upstream.address", value)
        elif name == "referrer":
            put(fields, "http.request.referrer", value)
    request = _REQUEST.search(message)
    if request is not None:
        fields["network.protocol"] = "http"
        add_request(fields, request[1])
    fields["event.reason"] = message.partition(", client:")[0]
    _add_mail(fields, message)
    user = _USER.match(message)
    if user is not None:
        put(fields, "user.name", user[1])
        fields |= {
            "event.action": "login",
            "event.category": ("web", "authentication"),
            "event.type": ("error", "start"),
            "event.outcome": "failure",
        }
    if "ModSecurity" in message:
        _add_rule(fields, message)
    return fields


def _add_mail(fields: dict[str, Value], message: str) -> None:
    """What the mail proxy says: who connects and whether the login was right."""
    connected = _CONNECTED.match(message)
    if connected is not None:
        for name, value in zip(_ENDS, connected.groups(), strict=True):
            put(fields, name, value)
        fields |= {"event.category": ("network",), "event.type": ("connection", "start")}
    elif message.startswith(("client logged in", "client login failed")):
        fields |= {"event.action": "mail-login", "event.category": ("authentication", "email"),
                   "event.type": ("start", "info"),
                   "event.outcome": "success" if message.startswith("client logged") else "failure"}  # fmt: skip


def _add_rule(fields: dict[str, Value], message: str) -> None:
    found = dict(_MODSECURITY.findall(message))
    for key, field in (("id", "rule.id"), ("msg", "rule.name"), ("uri", "url.path"), ("hostname", "url.domain")):
        put(fields, field, found.get(key))
    if "id" in found:
        fields |= {
            "event.category": ("web", "intrusion_detection"),
            "event.type": ("info", "denied") if "denied" in message else ("info",),
            "event.action": "attack-detected",
        }
