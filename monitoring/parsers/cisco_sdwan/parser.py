"""The pairs of a notification: `user-name:"anna" system-ip:10.0.0.1`."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, put

_PAIR = re.compile(r" ([a-z][a-z-]{1,32}):(?:\"([^\"]{0,256})\"|([^\s\"]{1,256}))")
_FIELDS = {
    "host-name": "observer.name", "system-ip": "observer.ip", "user-name": "user.name", "user-id": "user.id",
    "if-name": "observer.ingress.interface.name", "src-ip": "source.ip", "dst-ip": "destination.ip",
    "src-port": "source.port", "dst-port": "destination.port", "proto": "network.transport",
    "remote-host": "source.ip", "peer-system-ip": "destination.ip", "peer-address": "destination.ip",
    "public-ip": "destination.ip", "remote-system-ip": "destination.ip", "new-state": "canh.sdwan.state",
    "generated-at": "@timestamp", "acl-name": "rule.name",
}  # fmt: skip


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value] | None:
    """Finish the fields with the pairs; None for a line of another that runs a program of this name."""
    if "%Viptela-" not in line.text:
        return None
    fields.pop("source.ip", None)  # of the sentence; the pairs say which address it is
    fields.pop("user.name", None)
    for key, quoted, plain in _PAIR.findall(line.text):
        name = _FIELDS.get(key)
        if name is not None:
            put(fields, name, quoted or plain)
    fields.setdefault("event.category", ("host",))
    fields.setdefault("event.type", ("info",))
    return fields
