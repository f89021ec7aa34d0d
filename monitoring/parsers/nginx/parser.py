"""nginx over syslog: access lines (common, combined) and error lines under one tag."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, ip_text

_ACCESS = re.compile(
    r"(\S+) \S+ (.{1,256}?) \[(\d{2})/([A-Z][a-z]{2})/(\d{4}):(\d{2}:\d{2}:\d{2}) ([+-]\d{4})\] "
    r'"((?:[^"\\]|\\.)*)" (\d{3}) (\d+|-)(?: "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)")?'
)
_MONTHS = {
    name: f"{n:02}"
    for n, name in enumerate(["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1)
}
_ERROR = re.compile(r"(?:(\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2}) )?\[(\w+)\] (\d+)#(\d+): (?:\*(\d+) )?(.*)", re.DOTALL)
_DETAIL = re.compile(r', (client|server|host): "?([^",]+)"?')
_REQUEST = re.compile(r', request: "([A-Z]{1,16}) (\S+) HTTP/([\d.]+)"')


def parse(line: Line) -> dict[str, Value] | None:
    """The request or the error of a line; other words of nginx have only their message."""
    access = _ACCESS.match(line.text)
    if access is not None:
        return _access(access)
    error = _ERROR.match(line.text)
    if error is not None:
        return _error(error)
    return (
        {"event.dataset": "nginx.error", "event.category": ("web",), "event.type": ("info",)} if line.app_name else None
    )


def _access(match: re.Match[str]) -> dict[str, Value]:
    client, user, day, month, year, clock, zone, request, status, octets, referrer, agent = match.groups()
    fields: dict[str, Value] = {
        "event.dataset": "nginx.access",
        "event.action": "http-request",
        "event.category": ("web",),
        "event.type": ("access",),
        "event.outcome": "success" if int(status) < 400 else "failure",
        "http.response.status_code": int(status),
    }
    _add_address(fields, client)
    if user != "-":
        fields["user.name"] = user
    if octets != "-":
        fields["http.response.body.bytes"] = int(octets[:18])
    if referrer and referrer != "-":
        fields["http.request.referrer"] = referrer
    if agent and agent != "-":
        fields["user_agent.original"] = agent
    method, space, rest = request.partition(" ")
    target, _, version = rest.rpartition(" HTTP/")
    if space and target and method.isalpha():
        _add_request(fields, method, target, version)
    if month in _MONTHS:
        fields["@timestamp"] = f"{year}-{_MONTHS[month]}-{day}T{clock}{zone}"
    return fields


def _error(match: re.Match[str]) -> dict[str, Value]:
    _, level, pid, _, connection, message = match.groups()
    fields: dict[str, Value] = {
        "event.dataset": "nginx.error",
        "event.category": ("web",),
        "event.type": ("error",) if level in ("error", "crit", "alert", "emerg") else ("info",),
        "log.level": level,
        "process.pid": int(pid[:9]),
    }
    if connection:
        fields["canh.connection.id"] = connection
    for name, value in _DETAIL.findall(message):
        if name == "client":
            _add_address(fields, value)
        elif name == "host":
            fields["url.domain"] = value
    request = _REQUEST.search(message)
    if request is not None:
        _add_request(fields, *request.groups())
    fields["event.reason"] = message.partition(", client:")[0]
    return fields


def _add_address(fields: dict[str, Value], client: str) -> None:
    address = ip_text(client)
    if address is not None:
        fields["source.ip"] = address
    else:
        fields["source.domain"] = client


def _add_request(fields: dict[str, Value], method: str, target: str, version: str) -> None:
    path, mark, query = target.partition("?")
    fields["http.request.method"] = method
    fields["url.original"] = target
    fields["url.path"] = path
    if mark:
        fields["url.query"] = query
    if version:
        fields["http.version"] = version
