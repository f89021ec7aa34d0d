"""SEPM: what its lists of `Key: value` say; what kind of log it is shows in the keys it has."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, csv_of, put
from monitoring.parsers._network import add_sentence

_KEY = re.compile(r"([A-Z][A-Za-z0-9 ()/_-]{1,48}?): ?(.{0,4096})\Z", re.DOTALL)
_HEAD = re.compile(r"(?:SymantecServer:? ?)?(?:[\w.-]{1,64}: )?")
_KEYS = {
    "Computer name": "host.name", "Computer": "host.name", "Host Name": "host.name", "Local Host Name": "host.name",
    "IP Address": "host.ip", "Source": "canh.sep.scanner", "Risk name": "canh.threat.name",
    "Server Name": "observer.name",
    "Server": "observer.name", "Site": "canh.sep.site", "Domain Name": "user.domain", "Domain": "user.domain",
    "Admin": "user.name", "User": "user.name", "User Name": "user.name", "User1": "user.name",
    "Group Name": "canh.sep.group",
    "Actual action": "canh.sep.action", "Requested action": "canh.sep.requested", "File path": "file.path",
    "Downloaded from": "url.full", "URL": "url.full", "Web domain": "url.domain", "Intrusion URL": "url.full",
    "Downloaded by": "process.executable", "Application hash": "file.hash.sha256", "Hash": "file.hash.sha256",
    "SHA-256": "file.hash.sha256", "MD-5": "file.hash.md5", "File size (bytes)": "file.size",
    "Application name": "process.name",
    "Application": "process.executable", "Local Host IP": "source.ip", "Local IP Address": "source.ip",
    "Local Host": "source.ip",
    "Local": "source.ip", "Local Port": "source.port", "Local Host MAC": "source.mac", "Local MAC": "source.mac",
    "Remote Host IP": "destination.ip", "Remote IP": "destination.ip", "Remote Host": "destination.domain",
    "Remote Host Name": "destination.domain", "Remote Port": "destination.port", "Remote Host MAC": "destination.mac",
    "Remote MAC": "destination.mac", "Protocol": "network.transport", "Event Description": "message",
    "Rule": "rule.name",
    "Rule Name": "rule.name", "CIDS Signature string": "rule.name", "CIDS Signature ID": "rule.id",
    "Event time": "@timestamp",
    "Begin": "@timestamp", "Action": "canh.sep.action", "Event Type": "canh.sep.event",
    "Caller Process Name": "process.executable",
    "Caller Process ID": "process.pid", "Device ID": "canh.device.id", "Risk type": "rule.category",
    "Category type": "rule.category",
    "Category set": "canh.sep.category_set", "Description": "message", "Scan ID": "event.code",
    "Action Type": "canh.sep.action_type",
    "Intrusion Payload URL": "canh.sep.payload_url", "SONAR Engine Status": "canh.sep.sonar",
}  # fmt: skip
_HOST = re.compile(r"[\w-]{1,64}(?:\.[\w-]{1,63}){0,8}\Z")
_PATH = re.compile(r"[A-Za-z]:\\|\\\\|/[\w.-]{1,64}/")
_WORDS = frozenset(("Inbound", "Outbound", "Blocked", "Allowed", "TCP", "UDP", "ICMP", "None", "Others", "Unknown"))
_TRANSPORTS = frozenset(("TCP", "UDP", "ICMP", "ETHERNET", "OTHERS"))

_MALWARE: dict[str, Value] = {
    "event.kind": "alert", "event.category": ("malware",), "event.type": ("info",), "event.action": "malware-detected",
}  # fmt: skip
_INTRUSION: dict[str, Value] = {
    "event.kind": "alert", "event.category": ("intrusion_detection", "network"), "event.type": ("info",),
    "event.action": "attack-detected",
}  # fmt: skip
_DENIED: dict[str, Value] = {
    "event.category": ("network",), "event.type": ("connection", "denied"), "event.action": "connection-denied",
}  # fmt: skip
_ALLOWED: dict[str, Value] = {
    "event.category": ("network",), "event.type": ("connection", "allowed"), "event.action": "connection-allowed",
}  # fmt: skip


def parse(line: Line) -> Parsed | None:
    text = line.text
    body = text[_HEAD.match(text).end() :] if text.startswith("Symantec") else text  # type: ignore[union-attr]
    pairs, bare = _pairs(body)
    if not pairs and "Symantec" not in line.app_name:
        return None
    fields: dict[str, Value] = {}
    for key, name in _KEYS.items():
        if key in pairs and name not in fields:
            put(fields, name, pairs[key])
    for value in bare:
        if value.upper() in _TRANSPORTS:
            put(fields, "network.transport", value)
        elif value in ("Inbound", "Outbound"):
            fields["network.direction"] = value.lower()
        elif value in ("Blocked", "Allowed"):
            fields["canh.sep.action"] = value
    if bare and _HOST.match(bare[0]) and bare[0] not in _WORDS:
        fields.setdefault("host.name", bare[0])
    elif bare:
        fields.setdefault("message", bare[0])
    _add_bare(fields, pairs, bare)
    _turn(fields)
    fields |= _kind(fields, pairs, bare, text)
    add_sentence(fields, str(fields.get("message", "")))
    return fields


def _add_bare(fields: dict[str, Value], pairs: Pairs, bare: list[str]) -> None:
    """What stands without a name: of a risk its file; of an agent's act the computer, its user and their domain."""
    path = next((value for value in bare if _PATH.match(value)), None)
    if path is not None and "file.path" not in fields:
        put(fields, "file.path", path)
    if "Site" in pairs and "Admin" not in pairs and len(bare) > 1:
        fields.setdefault("message", bare[0])
        for name, value in zip(("host.name", "user.name", "user.domain"), bare[1:4], strict=False):
            put(fields, name, value)


def _pairs(text: str) -> tuple[Pairs, list[str]]:
    pairs: Pairs = {}
    bare: list[str] = []
    for part in csv_of(text[:16384]):
        match = _KEY.match(part.strip())
        if match is None:
            bare.append(part.strip())
        elif match[2].strip():
            pairs.setdefault(match[1].strip(), match[2].strip().strip('"'))
    return pairs, bare


def _turn(fields: dict[str, Value]) -> None:
    """Inbound traffic comes from the remote host."""
    if fields.get("network.direction") != "inbound":
        return
    for what in ("ip", "port", "mac", "domain"):
        local, remote = fields.pop(f"source.{what}", None), fields.pop(f"destination.{what}", None)
        if local is not None:
            fields[f"destination.{what}"] = local
        if remote is not None:
            fields[f"source.{what}"] = remote


def _kind(fields: dict[str, Value], pairs: Pairs, bare: list[str], text: str) -> dict[str, Value]:
    action = str(fields.get("canh.sep.action", "")).lower()
    is_blocked = any(word in action for word in ("block", "clean", "delet", "quarantin", "terminat"))
    outcome: dict[str, Value] = {"event.outcome": "failure" if is_blocked else "success"} if action else {}
    if "Risk name" in pairs or "virus found" in text[:64].lower() or "risk found" in text[:128]:
        return _MALWARE | outcome
    if "CIDS Signature string" in pairs or "Intrusion" in text[:256]:
        return _INTRUSION | outcome
    if "destination.ip" in fields and "source.ip" in fields:
        return (_DENIED if is_blocked else _ALLOWED) | outcome
    said = " ".join(bare[:3]).lower() + str(pairs.get("Event Description", "")).lower()
    if "log on" in said or "logon" in said:
        return {"event.category": ("authentication",), "event.type": ("start",), "event.action": "login",
                "event.outcome": "failure" if "fail" in said else "success"}  # fmt: skip
    if "log off" in said:
        return {"event.category": ("authentication", "session"), "event.type": ("end",), "event.action": "logout"}
    if "Admin" in pairs:
        return {"event.category": ("configuration",), "event.type": ("change",), "event.action": "config-changed"}
    return {"event.category": ("host",), "event.type": ("info",)}
