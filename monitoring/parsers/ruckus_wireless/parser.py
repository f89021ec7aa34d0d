"""Ruckus controllers: the pairs of SmartZone's events, the brackets of ZoneDirector's sentences."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Parsed, put
from monitoring.parsers._network import add_sentence

_EVENT = re.compile(r"@@(\d{1,6}),(\w{1,64}),")
_PAIR = re.compile(r"\"(\w{1,48})\"=\"([^\"]{0,1024})\"")
_KEYS = {
    "clientMac": "source.mac", "clientIP": "source.ip", "userName": "user.name", "adminName": "user.name",
    "adminIp": "source.ip", "remoteIp": "source.ip", "adminip": "source.ip", "apMac": "observer.mac",
    "apName": "canh.ap.name", "apIpAddress": "observer.ip", "ssid": "network.name", "wlanName": "network.name",
    "hostname": "source.domain", "vlanId": "network.vlan.id", "reason": "event.reason", "rogueMac": "source.mac",
    "iface": "observer.ingress.interface.name", "fwVersion": "observer.version", "srcIP": "source.ip",
    "authServer": "destination.ip", "radSrvrIp": "destination.ip", "disconnectReason": "event.reason",
    "timestamp": "@timestamp", "controllerName": "observer.name", "nodeName": "observer.name",
    "bladeName": "observer.name",
    "policyName": "rule.name", "sessionId": "canh.session.id", "description": "message",
    "tenantUUID": "canh.ruckus.tenant",
}  # fmt: skip
_USER = re.compile(r"\bUser\[([^\]]{1,64})\]")
_AP = re.compile(r"\bAP\[([^\]@]{0,64}?)@?([0-9a-fA-F:]{17})\]")
_WLAN = re.compile(r"\bWLAN\[([^\]]{1,64})\]")
_MAC = re.compile(r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}\Z")
_JOINED: dict[str, Value] = {
    "event.category": ("session", "network"),
    "event.type": ("start",),
    "event.action": "station-joined",
}
_LEFT: dict[str, Value] = {
    "event.category": ("session", "network"),
    "event.type": ("end",),
    "event.action": "station-left",
}


def parse(line: Line) -> Parsed | None:
    text = line.text
    event = _EVENT.search(text[:128])
    if event is not None:
        return _of_event(event, text)
    user, point = _USER.search(text[:1024]), _AP.search(text[:1024])
    if user is None and point is None and line.app_name not in ("stamgr", "eventd", "wlanmgr"):
        return None
    fields: dict[str, Value] = {}
    if user is not None:
        names = user[1].split("@")
        for name in names:
            put(fields, "source.mac" if _MAC.match(name) else "user.name", name)
    if point is not None:
        put(fields, "canh.ap.name", point[1])
        put(fields, "observer.mac", point[2])
    network = _WLAN.search(text[:1024])
    put(fields, "network.name", None if network is None else network[1])
    lower = text[:1024].lower()
    if user is not None and ("joins" in lower or "roams" in lower):
        fields |= _JOINED
    elif user is not None and ("disconnect" in lower or "leave" in lower):
        fields |= _LEFT
    elif user is not None and "fails" in lower:
        fields |= {"event.category": ("authentication",), "event.type": ("start",), "event.action": "login",
                   "event.outcome": "failure"}  # fmt: skip
    elif point is not None and user is None:
        fields |= {"event.category": ("network", "host"), "event.type": ("info",)}
    add_sentence(fields, text)
    return fields


def _of_event(event: re.Match[str], text: str) -> Parsed:
    fields: dict[str, Value] = {"event.code": event[1]}
    for key, value in _PAIR.findall(text[:8192]):
        name = _KEYS.get(key)
        if name is not None and name not in fields:
            put(fields, name, value)
    what = event[2]
    fields["event.reason"] = str(fields.get("event.reason") or what)
    lower = what.lower()
    if (
        lower.startswith("client")
        and ("join" in lower or "roam" in lower or "authorization" in lower)
        and "fail" not in lower
    ):
        return fields | _JOINED
    if lower.startswith("client") and ("disconnect" in lower or "leave" in lower or "timeout" in lower):
        return fields | _LEFT
    if ("auth" in lower and "fail" in lower) or "joinfail" in lower:
        return fields | {"event.category": ("authentication",), "event.type": ("start",), "event.action": "login",
                         "event.outcome": "failure"}  # fmt: skip
    if "login" in lower or "logon" in lower:
        return fields | {"event.category": ("authentication",), "event.type": ("start",), "event.action": "login",
                         "event.outcome": "failure" if "fail" in lower else "success"}  # fmt: skip
    if "logout" in lower or "logoff" in lower:
        return fields | {"event.category": ("authentication",), "event.type": ("end",), "event.action": "logout"}
    if "rogue" in lower or "spoof" in lower or "attack" in lower:
        return fields | {"event.kind": "alert", "event.category": ("intrusion_detection", "network"),
                         "event.type": ("info",), "event.action": "attack-detected"}  # fmt: skip
    if "config" in lower or "update" in lower:
        return fields | {
            "event.category": ("configuration",),
            "event.type": ("change",),
            "event.action": "config-changed",
        }
    return fields | {"event.category": ("network",), "event.type": ("info",)}
