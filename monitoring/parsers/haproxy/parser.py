"""HAProxy: names of the proxies, and the outcome of a request, where the rules end."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs
from monitoring.parsers._access import add_status

_PROXIES = re.compile(r"\] ([^\s~/]{1,255})(~?) ([^\s/]{1,255})/(\S{1,255}) ")
_FRONTEND = re.compile(r"\] ([^\s~/]{1,255})/[^\s:]{1,255}: ")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with its frontend, backend and server."""
    text = line.text[:1024]
    found = _PROXIES.search(text)
    if found is not None:
        fields["canh.haproxy.frontend"], fields["canh.haproxy.backend"] = found[1], found[3]
        if not found[4].startswith("<"):
            fields["canh.haproxy.server"] = found[4]
        elif found[4] == "<NOSRV>" and fields.get("network.transport") == "tcp":
            fields["event.outcome"], fields["event.type"] = "failure", ("connection", "denied")
            fields["event.action"] = "connection-denied"
    else:
        frontend = _FRONTEND.search(text)
        if frontend is not None:
            fields["canh.haproxy.frontend"] = frontend[1]
    status = fields.get("http.response.status_code")
    if isinstance(status, int):
        add_status(fields, status)
    original = fields.get("url.original")
    if isinstance(original, str) and original.startswith("/"):
        fields["url.path"] = original.partition("?")[0]
    return fields
