"""UniFi: CEF with keys of Ubiquiti's own, JSON of the station tracker, and sentences of hostapd and the switches."""

from __future__ import annotations

import json
import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, cef_of, put
from monitoring.parsers._network import add_sentence

_HEAD = re.compile(
    r"(?:(?P<name>[\w.-]{1,32}) )?\(?\"?(?:(?P<model>[A-Za-z0-9][\w.-]{1,24}),)?(?P<mac>[0-9a-f]{12}),"
    r"v?(?P<version>\d[\d.+]{3,24})\"?\)?:? ?"
)
_TAG = re.compile(r"([A-Za-z][\w./-]{0,31})(?:\[(\d{1,7})\])?: ")
_STATION = re.compile(
    r"(?P<name>[\w.-]{1,24}): STA (?P<mac>[0-9A-Fa-f:]{17}) (?P<about>[\w.]{1,12}(?: \d[\w.]{1,8})?):"
    r" (?P<what>.{1,200})"
)
_KEYS = {
    "cef.product": "observer.product", "cef.version": "observer.version", "cef.id": "event.code",
    "src": "source.ip", "spt": "source.port", "dst": "destination.ip", "dpt": "destination.port",
    "proto": "network.transport", "app": "network.protocol", "UNIFIclientIp": "source.ip",
    "UNIFIclientMac": "source.mac", "UNIFIclientHostname": "source.domain", "UNIFIclientAlias": "source.domain",
    "UNIFIadmin": "user.name", "UNIFIhost": "observer.name", "UNIFIdeviceName": "observer.name",
    "UNIFIdeviceMac": "observer.mac", "UNIFIdeviceIp": "observer.ip", "UNIFIdeviceVersion": "observer.os.version",
    "UNIFIdeviceModel": "canh.device.model", "UNIFIipsSignature": "rule.name", "UNIFIipsSignatureId": "rule.id",
    "UNIFIpolicyName": "rule.name", "UNIFIfirewallRule": "rule.name", "UNIFIruleName": "rule.name",
    "UNIFIwifiName": "network.name", "UNIFInetworkName": "network.name", "UNIFInetworkVlan": "network.vlan.id",
    "UNIFIutcTime": "@timestamp", "UNIFIduration": "canh.unifi.duration", "UNIFIrisk": "canh.unifi.risk",
    "UNIFIdirection": "network.direction", "UNIFIdstDomain": "destination.domain", "act": "canh.unifi.action",
    "UNIFIport": "observer.ingress.interface.name", "UNIFIconnectedToDevicePort": "observer.ingress.interface.name",
    "UNIFIconnectedToDeviceIp": "observer.ip", "UNIFIconnectedToDeviceMac": "observer.mac", "smac": "source.mac",
    "dmac": "destination.mac", "deviceInboundInterface": "observer.ingress.interface.name",
    "deviceOutboundInterface": "observer.egress.interface.name", "suser": "user.name", "duser": "user.name",
    "request": "url.full", "msg": "message",
}  # fmt: skip
_WHO = re.compile(
    r"(?P<user>\S[^\n]{0,64}?) (?:accessed|opened|made|logged|signed)\b.{0,400}?(?:Source IP: (?P<ip>\S{2,45}))?\Z"
)
_LOGIN: dict[str, Value] = {
    "event.category": ("authentication",), "event.type": ("start",), "event.action": "login",
    "event.outcome": "success",
}  # fmt: skip
_ATTACK: dict[str, Value] = {
    "event.kind": "alert", "event.category": ("intrusion_detection", "network"), "event.action": "attack-detected",
}  # fmt: skip


def parse(line: Line) -> Parsed | None:
    pairs = cef_of(line.text)
    if pairs is not None:
        return _of_cef(pairs) if str(pairs.get("cef.vendor", "")).startswith("Ubiquiti") else None
    fields: dict[str, Value] = {}
    text = line.text
    head = _HEAD.match(text)
    if head is not None:
        put(fields, "observer.name", head["name"] or head["model"])
        put(fields, "canh.device.model", head["model"])
        put(fields, "observer.mac", head["mac"])
        put(fields, "observer.os.version", head["version"])
        text = text[head.end() :]
        tag = _TAG.match(text)
        if tag is not None:
            put(fields, "process.name", tag[1])
            put(fields, "process.pid", tag[2])
            text = text[tag.end() :]
    elif line.app_name == "hostapd" and _STATION.match(text) is None:
        return None
    return fields | _sentence(text)


def _of_cef(pairs: Pairs) -> Parsed:
    severity = str(pairs.get("cef.severity", ""))
    if "=" in severity:  # UniFi OS leaves out the name, and everything moves
        key, _, value = severity.partition("=")
        pairs = {**pairs, "cef.name": pairs.get("cef.id", ""), key.strip(): value}
        del pairs["cef.severity"]
    fields: dict[str, Value] = {}
    for key, name in _KEYS.items():
        if key in pairs and name not in fields:
            put(fields, name, pairs[key])
    put(fields, "event.severity", pairs.get("cef.severity", ""))
    name, told = str(pairs.get("cef.name", "")), str(pairs.get("msg", ""))
    who = _WHO.match(told[:512])
    if who is not None and "admin" in f"{name} {pairs.get('UNIFIsubCategory', '')}".lower():
        fields.setdefault("user.name", who["user"])
        if "source.ip" not in fields:
            put(fields, "source.ip", who["ip"])
    fields.update(_meaning(name, str(pairs.get("UNIFIsubCategory", "")), told))
    fields.setdefault("message", name)
    fields.setdefault("event.reason", name)
    return fields


def _meaning(name: str, group: str, told: str) -> dict[str, Value]:
    words = f"{name} {group}".lower()
    if "threat" in words or "intrusion" in words or "honeypot" in words:
        is_stopped = "block" in words or "blocked" in told.lower()
        return _ATTACK | {"event.type": ("info", "denied" if is_stopped else "allowed"),
                          "event.outcome": "failure" if is_stopped else "success"}  # fmt: skip
    if "blocked by" in words or "firewall" in words:
        return {"event.category": ("network",), "event.type": ("connection", "denied"),
                "event.action": "connection-denied", "event.outcome": "failure"}  # fmt: skip
    if "config" in words and "admin" in words:
        return {"event.category": ("configuration",), "event.type": ("change",), "event.action": "config-changed",
                "event.outcome": "success"}  # fmt: skip
    if "admin" in words or "access" in words:
        is_failed = "fail" in words or "denied" in words
        return _LOGIN | ({"event.outcome": "failure"} if is_failed else {})
    if "vpn client" in words:
        is_end = "disconnected" in words
        return {"event.category": ("session", "network"), "event.type": ("end" if is_end else "start",),
                "event.action": "vpn-tunnel-down" if is_end else "vpn-login"}  # fmt: skip
    if "client disconnected" in words:
        return {"event.category": ("session", "network"), "event.type": ("end",), "event.action": "station-left"}
    if "client" in words and ("connected" in words or "roam" in words):
        return {"event.category": ("session", "network"), "event.type": ("start",), "event.action": "station-joined"}
    if "offline" in words or "failover" in words or "outage" in words:
        return {"event.category": ("network", "host"), "event.type": ("info", "change")}
    return {"event.category": ("network",), "event.type": ("info",)}


def _sentence(text: str) -> dict[str, Value]:
    station = _STATION.match(text)
    if station is not None:
        return _of_station(station)
    start = text.find("{")
    fields: dict[str, Value] = {}
    if start >= 0 and text.rstrip().endswith("}"):
        fields = _of_tracker(text[start:])
    if "Authentication" not in text and "login" not in text.lower():
        fields.setdefault("event.category", ("network",))
        fields.setdefault("event.type", ("info",))
    add_sentence(fields, text)
    return fields


def _of_station(station: re.Match[str]) -> dict[str, Value]:
    fields: dict[str, Value] = {}
    put(fields, "source.mac", station["mac"])
    put(fields, "observer.ingress.interface.name", station["name"])
    what = station["what"].lower()
    is_end = what.startswith(("disassoc", "deauth")) or "stopped" in what or "deauthenticat" in what
    fields["event.category"], fields["event.type"] = ("session", "network"), ("info",)
    if station["about"].startswith("IEEE") or is_end:
        fields["event.type"] = ("end",) if is_end else ("start",)
        fields["event.action"] = "station-left" if is_end else "station-joined"
    return fields


def _of_tracker(text: str) -> dict[str, Value]:
    """What the tracker of stations writes as JSON: who failed at which step."""
    fields: dict[str, Value] = {}
    try:
        document = json.loads(text[:8192])
    except (ValueError, RecursionError):
        return fields
    if not isinstance(document, dict):
        return fields
    names = {"mac": "source.mac", "vap": "observer.ingress.interface.name", "event_type": "event.code",
             "query_server": "destination.ip", "query": "dns.question.name", "ip": "source.ip",
             "dns_resp_seen": "canh.unifi.dns_answer", "message_type": "canh.unifi.message"}  # fmt: skip
    for key, name in names.items():
        value = document.get(key)
        if isinstance(value, str | int):
            put(fields, name, value)
    kind = str(document.get("event_type", "")) + str(document.get("assoc_status", ""))
    fields["event.category"], fields["event.type"] = ("session", "network"), ("info",)
    if "failure" in kind.lower():
        fields["event.outcome"] = "failure"
    return fields
