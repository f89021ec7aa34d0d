"""ePO: the elements of an event, each with a name that is its own, whichever of the products below it wrote them."""

from __future__ import annotations

import html
import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, put

_ELEMENT = re.compile(r"<([A-Za-z]\w{1,48})>([^<]{1,4096})</")
_ATTRIBUTE = re.compile(r"\b(ProductName|ProductVersion)=\"([^\"]{1,128})\"")
_KEYS = {
    "MachineName": "host.name", "AgentGUID": "agent.id", "OSName": "host.os.full", "IPAddress": "host.ip",
    "RawMACAddress": "host.mac", "ThreatEventID": "event.code", "EventID": "event.code", "ThreatName": "rule.name",
    "DetectedUTC": "@timestamp", "GMTTime": "@timestamp", "ThreatCategory": "rule.category",
    "ThreatActionTaken": "canh.epo.action", "ThreatHandled": "canh.epo.handled", "ThreatType": "canh.threat.type",
    "SourceHostName": "source.domain", "SourceIPV4": "source.ip", "SourceIPV6": "source.ip", "SourceMAC": "source.mac",
    "SourcePort": "source.port", "SourceUserName": "source.user.name", "SourceURL": "url.full",
    "SourceProcessName": "process.name", "TargetHostName": "destination.domain", "TargetIPV4": "destination.ip",
    "TargetIPV6": "destination.ip", "TargetMAC": "destination.mac", "TargetPort": "destination.port",
    "TargetProtocol": "network.transport", "TargetUserName": "user.name", "TargetProcessName": "canh.target.process",
    "TargetFileName": "file.path", "TargetHash": "file.hash.md5", "AnalyzerName": "observer.product",
    "AnalyzerVersion": "observer.version", "AnalyzerHostName": "observer.name", "UserName": "user.name",
    "AnalyzerDetectionMethod": "event.reason", "Severity": "event.severity", "NaturalLangDescription": "message",
    "BladeName": "observer.product", "AttackVectorType": "canh.epo.vector", "SourceDescription": "process.command_line",
    "URL": "url.full", "Message": "message", "Site": "canh.epo.site", "Type": "canh.epo.update",
    "Version": "canh.epo.dat",
}  # fmt: skip
_NOBODY = frozenset(("%CTX_DOMAIN_USER%", "_", "0.0.0.0", "127.0.0.1", "::ffff:0.0.0.0"))  # noqa: S104


def parse(line: Line) -> Parsed | None:
    text = line.text
    if "<EPOE" not in text and "<EPOe" not in text and "<UpdateEvents>" not in text:
        return None
    found: Pairs = {}
    for key, value in _ELEMENT.findall(text):
        value = html.unescape(value).strip()
        if value and value not in _NOBODY:
            found.setdefault(key, value)
    fields: dict[str, Value] = {}
    for key, name in _KEYS.items():
        if key in found and name not in fields:
            value = found[key]
            put(fields, name, value.removeprefix("::ffff:").removeprefix("/") if name.endswith(".ip") else value)
    if "DetectedUTC" in found or "GMTTime" in found:
        fields["event.timezone"] = "UTC"
    for key, value in _ATTRIBUTE.findall(text[:4096]):
        fields.setdefault("observer.product" if key == "ProductName" else "observer.version", value)
    return fields | _kind(found)


def _kind(found: Pairs) -> dict[str, Value]:
    category, action = str(found.get("ThreatCategory", "")).lower(), str(found.get("ThreatActionTaken", "")).lower()
    handled = str(found.get("ThreatHandled", "")).lower() in ("1", "true")
    is_stopped = handled or any(word in action for word in ("block", "delet", "clean", "deni", "quarantin"))
    outcome: dict[str, Value] = {"event.outcome": "success" if is_stopped else "failure"} if action else {}
    if category.startswith(("av.", "malware", "av")) or "virus" in str(found.get("ThreatType", "")).lower():
        return {"event.kind": "alert", "event.category": ("malware",), "event.type": ("info",),
                "event.action": "malware-detected", **outcome}  # fmt: skip
    if category.startswith("ops"):
        return {"event.category": ("host",), "event.type": ("info",)}
    if category.startswith(("hip", "ids", "fw", "hi")):
        return {"event.kind": "alert", "event.category": ("intrusion_detection",), "event.type": ("info",),
                "event.action": "attack-detected", **outcome}  # fmt: skip
    if "ThreatName" in found and category:
        return {"event.kind": "alert", "event.category": ("malware",), "event.type": ("info",), **outcome}
    return {"event.category": ("host",), "event.type": ("info",)}
