"""Arbor: CEF of its appliances in line; of Sightline the alert's number, what it is of and where."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Parsed, cef_of, put
from monitoring.parsers._network import add_sentence

_CEF = {
    "cef.product": "observer.product", "cef.version": "observer.version", "cef.id": "event.code",
    "cef.name": "event.reason", "src": "source.ip", "spt": "source.port", "dst": "destination.ip",
    "dpt": "destination.port", "proto": "network.transport", "rt": "@timestamp", "msg": "message",
    "dvchost": "observer.name", "dvc": "observer.ip", "Protection Group Name": "canh.arbor.group",
    "request": "url.full", "suser": "user.name", "act": "canh.arbor.action", "app": "network.protocol",
}  # fmt: skip
_STOPPED = {
    "source.ip": "source", "source.port": "from", "destination.ip": "to", "destination.port": "port",
    "network.transport": "transport", "rule.name": "rule",
}  # fmt: skip
_ALERT = re.compile(r"(?P<name>[\w/ -]{3,64}?) alert #(?P<id>\d{1,12})")
_WHERE = re.compile(r"(?:host|resource|prefix|dst|target)s? (?P<ip>[0-9A-Fa-f.:]{3,45})(?:/\d{1,3})?")
_SIGNATURES = re.compile(r"signatures? \(?(?P<name>[^),]{1,256})")
_BLOCKED = re.compile(  # what an appliance in line tells of a host it stopped
    r"Blocked [Hh]ost (?P<source>[0-9A-Fa-f.:]{3,45}) at [\d:]{4,8} by (?P<rule>[^,]{1,128}?)"
    r"(?: using (?P<transport>[A-Za-z]{2,8})(?:/(?P<port>\d{1,5}))?(?: \([^()]{1,64}\))?)?"
    r"(?: destination (?P<to>[0-9A-Fa-f.:]{3,45}))?(?: source port (?P<from>\d{1,5}))?,"
)
_ATTACK: dict[str, Value] = {
    "event.kind": "alert", "event.category": ("intrusion_detection", "network"), "event.action": "attack-detected",
}  # fmt: skip


def parse(line: Line) -> Parsed | None:
    pairs = cef_of(line.text)
    fields: dict[str, Value] = {}
    if pairs is not None:
        for key, name in _CEF.items():
            if key in pairs:
                put(fields, name, pairs[key])
        name, told = str(pairs.get("cef.id", "")), str(pairs.get("cef.name", ""))
        if "src" in pairs:
            put(fields, "rule.name", name)
            is_blocked = "block" in told.lower()
            return fields | _ATTACK | {"event.type": ("info", "denied") if is_blocked else ("info",),
                                       "event.outcome": "failure" if is_blocked else "success"}  # fmt: skip
        add_sentence(fields, f"{name} {told} {pairs.get('msg', '')}")
        return fields
    blocked = _BLOCKED.search(line.text[:1024])
    if blocked is not None:
        for name, group in _STOPPED.items():
            put(fields, name, blocked[group])
        return fields | _ATTACK | {"event.type": ("info", "denied"), "event.outcome": "failure"}
    alert = _ALERT.search(line.text[:1024])
    if alert is None:
        if not line.app_name.startswith(("pfsp", "arbor-networks-")):
            return None
        add_sentence(fields, line.text)
        return fields
    put(fields, "rule.name", alert["name"].strip())
    put(fields, "event.code", alert["id"])
    where, signature = _WHERE.search(line.text[:2048]), _SIGNATURES.search(line.text[:2048])
    if where is not None:
        put(fields, "destination.ip", where["ip"])
    put(fields, "rule.category", None if signature is None else signature["name"])
    fields |= _ATTACK | {"event.type": ("info",)}
    add_sentence(fields, line.text)
    if fields.get("source.ip") == fields.get("destination.ip"):
        fields.pop("source.ip", None)
    return fields
