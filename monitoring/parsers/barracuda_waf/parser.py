"""Barracuda WAF in its default formats: what is traffic (TR), an attack (WF), an administrator's act (AUDIT), a packet
(NF), its own state (SYS); or the same as pairs."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Parsed, cef_of, put
from monitoring.parsers._network import add_sentence

_TIME = r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?(?: ?[+-]\d{4})?)"
_ATTACK = re.compile(
    rf"(?:{_TIME} {{1,2}})?(?P<unit>\S{{1,64}} )?WF (?P<level>\w{{4}}) (?P<attack>\S{{1,64}}) "
    rf"(?P<source>[\da-fA-F.:]{{2,45}}) "
    r"(?P<sport>\d{1,5}) (?:(?P<dst>[\da-fA-F.:]{2,45}) (?P<dport>\d{1,5}) )?"
    r"(?P<rule>\S{1,128}) (?P<kind>\S{1,64}) (?P<action>\S{1,32}) (?P<followup>\S{1,32}) "
    r"(?P<details>\[.{0,2048}?\]) (?P<method>[A-Z]{3,10}) (?P<url>\S{1,2048}) (?P<protocol>\S{1,16}) "
    r"(?:(?P<session>[A-Z]{3}-\S{1,64}) )?(?P<agent>[\"\u201c][^\"\u201d]{0,512}[\"\u201d]|\S{1,512}) {1,2}"
    r"(?:(?P<proxy>[\da-fA-F.:]{2,45}) (?P<pport>\d{1,5})(?: (?P<user>\S{1,128}))?(?:"
    r" (?P<referrer>https?://\S{1,2048}))?)?",
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
_PACKET = re.compile(
    rf"(?:{_TIME} {{1,2}})?(?P<unit>\S{{1,64}} )?NF (?P<level>\w{{4}}) (?P<transport>[A-Z]{{2,8}}) "
    r"(?P<source>[\da-fA-F.:]{2,45}) (?P<sport>\d{1,5}) (?P<dst>[\da-fA-F.:]{2,45}) (?P<dport>\d{1,5}) "
    r"(?P<action>[A-Z]{3,10}) (?P<rule>\S{1,128})"
)
_SYSTEM = re.compile(
    rf"(?:{_TIME} {{1,2}})?(?P<unit>\S{{1,64}} )?SYS (?P<part>[A-Z_]{{2,24}}) (?P<level>\w{{4}}) (?P<code>\d{{1,7}}) "
    r"(?P<told>.{1,2048})",
    re.DOTALL,
)
_NAMES = {
    "time": "@timestamp", "unit": "observer.name", "source": "source.ip", "sport": "source.port",
    "dst": "destination.ip",
    "dport": "destination.port", "method": "http.request.method", "protocol": "network.protocol", "user": "user.name",
    "login": "user.name", "status": "http.response.status_code", "sent": "destination.bytes",
    "received": "source.bytes",
    "host": "url.domain", "attack": "event.code", "rule": "rule.name", "action": "canh.barracuda.action",
    "url": "url.full", "transport": "network.transport", "code": "event.code", "told": "message",
    "session": "canh.session.id", "proxy": "canh.proxy.ip", "referrer": "http.request.referrer",
}  # fmt: skip


def parse(line: Line) -> Parsed | None:
    text = line.text
    if "CEF:" in text:
        return _of_cef(text)
    if "logType=" in text:
        return _of_cef("CEF:0|||||||" + text)
    for pattern, kind in (
        (_ATTACK, "attack"), (_ACCESS, "access"), (_AUDIT, "audit"), (_PACKET, "packet"), (_SYSTEM, "system")
    ):  # fmt: skip
        match = pattern.search(text[:16384]) if kind in ("attack", "audit") else pattern.match(text)
        if match is not None:
            fields: dict[str, Value] = {}
            for group, name in _NAMES.items():
                if match.groupdict().get(group):
                    put(fields, name, match[group].strip('"'))
            if kind == "attack" and match["dst"] is None:  # the older format has the service's address behind the agent
                put(fields, "destination.ip", match["proxy"])
                put(fields, "destination.port", match["pport"])
            return fields | _kind(kind, match, fields)
    return None


def _kind(kind: str, match: re.Match[str], fields: dict[str, Value]) -> dict[str, Value]:
    if kind == "attack":
        is_denied = match["action"].upper() in ("DENY", "REDIRECT", "BLOCK", "CLOAK")
        put(fields, "user_agent.original", match["agent"].strip('"'))
        return {"event.kind": "alert", "event.category": ("intrusion_detection", "web"),
                "event.type": ("info", "denied" if is_denied else "allowed"), "event.action": "attack-detected",
                "event.outcome": "failure" if is_denied else "success"}  # fmt: skip
    if kind == "packet":
        is_denied = match["action"] in ("DENY", "DROP", "BLOCK", "REJECT")
        return {"event.category": ("network",), "event.type": ("connection", "denied" if is_denied else "allowed"),
                "event.action": "connection-denied" if is_denied else "connection-allowed",
                "event.outcome": "failure" if is_denied else "success"}  # fmt: skip
    if kind == "system":
        found = dict(fields)
        add_sentence(found, match["told"])
        return found
    if kind == "access":
        is_ok = int(match["status"]) < 400
        paths = re.search(r" (/\S{0,2048})", " " + match["rest"])
        served: dict[str, Value] = {"event.category": ("web",), "event.type": ("access",),
        "event.action": "http-request",
                                   "event.outcome": "success" if is_ok else "failure"}  # fmt: skip
        if paths is not None:
            served["url.path"] = paths[1]
            if "url.domain" in fields:
                served["url.full"] = f"{fields.get('network.protocol', 'http')!s}://{fields['url.domain']}{paths[1]}"
        return served
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
             "requestClientApplication": "user_agent.original", "act": "canh.barracuda.action",
             "actionTaken": "canh.barracuda.action", "attackDescription": "event.code", "attackId": "rule.id",
             "attackDetails": "event.reason", "attackGroup": "rule.name", "userAgent": "user_agent.original",
             "referer": "http.request.referrer", "authUser": "user.name", "user": "user.name"}  # fmt: skip
    for key, name in names.items():
        if key in pairs:
            put(fields, name, pairs[key])
    action = str(pairs.get("actionTaken", pairs.get("act", ""))).upper()
    if pairs.get("logType") == "WF" or "attackId" in pairs:
        is_denied = action in ("DENY", "REDIRECT", "BLOCK", "CLOAK")
        return fields | {"event.kind": "alert", "event.category": ("intrusion_detection", "web"),
                         "event.type": ("info", "denied" if is_denied else "allowed"),
                         "event.action": "attack-detected",
                         "event.outcome": "failure" if is_denied else "success"}  # fmt: skip
    add_sentence(fields, str(pairs.get("cef.name", "")))
    return fields
