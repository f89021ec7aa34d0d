"""Barracuda WAF in its default formats: what is traffic (TR), an attack (WF), an administrator's act (AUDIT)."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Parsed, cef_of, put
from monitoring.parsers._network import add_sentence

_TIME = r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?(?: ?[+-]\d{4})?)"
_ATTACK = re.compile(
    rf"(?:{_TIME} {{1,2}})?(?P<unit>\S{{1,64}} )?WF (?P<level>\w{{4}}) (?P<attack>\S{{1,64}}) "
    rf"(?P<source>[\da-fA-F.:]{{2,45}}) "
    r"(?P<sport>\d{1,5}) (?P<rule>\S{1,128}) (?P<kind>\S{1,64}) (?P<action>\S{1,32}) (?P<followup>\S{1,32}) "
    r"(?P<details>\[.{0,2048}?\]) (?P<method>[A-Z]{3,10}) (?P<url>\S{1,2048}) (?P<protocol>\S{1,16}) "
    r"(?P<agent>\"[^\"]{0,512}\"|\S{1,512}) "
    r"(?P<dst>[\da-fA-F.:]{2,45}) (?P<dport>\d{1,5}) (?:(?P<user>\S{1,128}) )?",
    re.DOTALL,
)
_ACCESS = re.compile(
    rf"(?:{_TIME} {{1,2}})?(?P<unit>\S{{1,64}} )?TR (?P<dst>[\da-fA-F.:]{{2,45}}) (?P<dport>\d{{1,5}}) "
    rf"(?P<source>[\da-fA-F.:]{{2,45}}) "
    r"(?P<sport>\d{1,5}) (?P<login>\S{1,128}) (?P<cert>\S{1,128}) (?P<method>[A-Z]{3,10}) "
    r"(?P<protocol>\S{1,12}) (?P<host>\S{1,255}) "
    r"(?P<version>\S{1,12}) (?P<status>\d{3}) (?P<sent>\d{1,12}) (?P<received>\d{1,12}) (?P<rest>.{0,4096})",
    re.DOTALL,
)
_AUDIT = re.compile(
    rf"(?:{_TIME} {{1,2}})?(?P<unit>\S{{1,64}} )?AUDIT (?P<user>\S{{1,128}}) (?P<via>\S{{1,32}}) "
    rf"(?P<source>[\da-fA-F.:]{{2,45}}) "
    r"(?P<sport>\d{1,6}) (?P<what>\S{1,64}) (?P<rest>.{0,4096})",
    re.DOTALL,
)
_NAMES = {
    "time": "@timestamp", "unit": "observer.name", "source": "source.ip", "sport": "source.port",
    "dst": "destination.ip",
    "dport": "destination.port", "method": "http.request.method", "protocol": "network.protocol", "user": "user.name",
    "login": "user.name", "status": "http.response.status_code", "sent": "destination.bytes",
    "received": "source.bytes",
    "host": "url.domain", "attack": "event.code", "rule": "rule.name", "action": "canh.barracuda.action",
    "url": "url.full",
}  # fmt: skip


def parse(line: Line) -> Parsed | None:
    text = line.text
    if "CEF:" in text:
        return _of_cef(text)
    for pattern, kind in ((_ATTACK, "attack"), (_ACCESS, "access"), (_AUDIT, "audit")):
        match = pattern.search(text[:16384]) if kind != "access" else pattern.match(text)
        if match is not None:
            fields: dict[str, Value] = {}
            for group, name in _NAMES.items():
                if match.groupdict().get(group):
                    put(fields, name, match[group].strip('"'))
            return fields | _kind(kind, match, fields)
    return None


def _kind(kind: str, match: re.Match[str], fields: dict[str, Value]) -> dict[str, Value]:
    if kind == "attack":
        is_denied = match["action"].upper() in ("DENY", "REDIRECT", "BLOCK", "CLOAK")
        put(fields, "user_agent.original", match["agent"].strip('"'))
        return {"event.kind": "alert", "event.category": ("intrusion_detection", "web"),
                "event.type": ("info", "denied" if is_denied else "allowed"), "event.action": "attack-detected",
                "event.outcome": "failure" if is_denied else "success"}  # fmt: skip
    if kind == "access":
        is_ok = int(match["status"]) < 400
        paths = re.search(r" (/\S{0,2048})", " " + match["rest"])
        found: dict[str, Value] = {"event.category": ("web",), "event.type": ("access",),
        "event.action": "http-request",
                                   "event.outcome": "success" if is_ok else "failure"}  # fmt: skip
        if paths is not None:
            found["url.path"] = paths[1]
        return found
    is_login = match["what"].upper().startswith(("LOGIN", "LOGOUT", "UNSUCCESSFUL"))
    if is_login:
        is_out = "LOGOUT" in match["what"].upper()
        return {"event.category": ("authentication",), "event.type": ("end" if is_out else "start",),
                "event.action": "logout" if is_out else "login",
                "event.outcome": "failure" if "UNSUCC" in match["what"].upper() else "success"}  # fmt: skip
    return {"event.category": ("configuration",), "event.type": ("change",), "event.action": "config-changed"}


def _of_cef(text: str) -> Parsed | None:
    pairs = cef_of(text)
    if pairs is None:
        return None
    fields: dict[str, Value] = {"event.category": ("web",), "event.type": ("access",)}
    names = {"src": "source.ip", "spt": "source.port", "dst": "destination.ip", "dpt": "destination.port",
             "request": "url.full", "requestMethod": "http.request.method", "suser": "user.name",
             "app": "network.protocol",
             "dvchost": "observer.name", "dhost": "url.domain", "msg": "message", "cef.id": "event.code",
             "rt": "@timestamp",
             "requestClientApplication": "user_agent.original", "act": "canh.barracuda.action"}  # fmt: skip
    for key, name in names.items():
        if key in pairs:
            put(fields, name, pairs[key])
    add_sentence(fields, str(pairs.get("cef.name", "")))
    return fields
