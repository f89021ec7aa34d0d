"""Asterisk: `[time] LEVEL[thread][C-call]: file.c: text`; security events are pairs with quoted values."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, csv_of, put
from monitoring.parsers.generic_text.parser import add_words

_HEAD = re.compile(
    r"(?:\[(?P<when>\d{4}-\d\d-\d\d [\d:.]{8,12}|[A-Z][a-z]{2} {1,2}\d{1,2} [\d:]{8})\] )?"
    r"(?:(?P<level>NOTICE|WARNING|ERROR|SECURITY|VERBOSE|DEBUG|DTMF) ?\[(?P<pid>\d{1,10})\]"
    r"(?:\[(?P<call>C-\w{1,16})\])?:? )?"
    r"(?:(?P<file>[\w./-]{1,64}\.c)(?::\d{1,6})?(?::? in |:? )?(?P<function>[a-z_]{2,64})?: )?(?P<text>.*)",
    re.DOTALL,
)
_PAIR = re.compile(r"(\w{1,32})=\"([^\"]{0,512})\"")
_END = re.compile(r"IPV[46]/(\w{2,8})/([0-9A-Fa-f.:]{2,45})/(\d{1,5})")
_REGISTRATION = re.compile(
    r"(?:Request (?:'(\w{1,16})' )?from|Registration from) '?\"?([^\"'<>]{0,128})\"? ?<?(?:sips?:"
    r"([^@>']{0,128})@)?[^']{0,255}' failed for "
    r"'([0-9A-Fa-f.:]{2,45}?)(?::(\d{1,5}))?' (?:\(callid: [^)]{0,255}\) )?- (.{1,128})"
)
_REFUSED = tuple(
    re.compile(pattern)
    for pattern in (
        r"Call from '(?P<user>[^']{0,128})' \((?P<ip>[0-9A-Fa-f.:]{2,45}?):(?P<port>\d{1,5})\) to extension '"
        r"(?P<called>[^']{0,128})' rejected",
        r"(?:Host )?(?P<ip>[0-9A-Fa-f.:]{7,45}) (?:failed (?:MD5 )?"
        r"(?:to authenticate|authentication)|tried to authenticate).{0,32}? '(?P<user>[^']{0,128})'",
        r"Failed to authenticate (?:user|device) [^@]{0,128}?(?P<user>[^@:;\"<>]{1,128})"
        r"@(?P<ip>\d{1,3}(?:\.\d{1,3}){3})",
        r"No registration for peer '(?P<user>[^']{0,128})' \(from (?P<ip>[0-9A-Fa-f.:]{2,45})\)",
        r"(?:hacking attempt detected '|Rejecting unknown SIP connection from |Friendly Scanner from )"
        r"(?P<ip>[0-9A-Fa-f.:]{2,45})",
    )
)
_GONE = re.compile(
    r"(?:Peer '([^']{1,128})'|(?:Endpoint|Contact) ([^\s/]{1,128})(?:/\S{1,255})?) is now (unreachable|reachable)",
    re.IGNORECASE,
)
_GOOD = frozenset(("SuccessfulAuth", "ChallengeSent"))
_LOGIN: dict[str, Value] = {"event.action": "login", "event.category": ("authentication",), "event.type": ("start",)}


def parse(line: Line) -> dict[str, Value] | None:
    """What the exchange tells."""
    if line.text.startswith('"'):
        return _call(csv_of(line.text))
    match = _HEAD.match(line.text)
    if match is None:
        return None
    fields: dict[str, Value] = {}
    put(fields, "@timestamp", match["when"])
    put(fields, "log.level", (match["level"] or "").lower())
    put(fields, "process.thread.id", match["pid"])
    put(fields, "log.origin.file.name", match["file"])
    text = match["text"]
    fields["message"] = text
    if "SecurityEvent=" in text:
        _add_security(fields, text)
        return fields
    registration = _REGISTRATION.search(text)
    if registration is not None:
        method, name, user, address, port, reason = registration.groups()
        put(fields, "user.name", (user or name).removeprefix("sip:").partition("@")[0])
        put(fields, "source.ip", address)
        put(fields, "source.port", port)
        fields |= _LOGIN | {
            "event.outcome": "failure",
            "event.reason": reason,
            "canh.sip.method": method or "REGISTER",
            "canh.sip.final": True,
            "canh.sip.status": 404 if "No matching" in reason else 403,
        }
        return fields
    gone = _GONE.search(text)
    if gone is not None:
        put(fields, "canh.voip.device", gone[1] or gone[2])
        is_gone = gone[3].lower() == "unreachable"
        fields["event.action"] = "endpoint-unregistered" if is_gone else "endpoint-registered"
        return fields | {"event.type": ("end" if is_gone else "start",)}
    refused = next((found for pattern in _REFUSED if (found := pattern.search(text)) is not None), None)
    if refused is None:
        add_words(fields, text)
        return fields
    for name, value in refused.groupdict().items():
        put(fields, {"ip": "source.ip", "port": "source.port", "user": "user.name"}.get(name, "canh.sip.called"), value)
    fields |= _LOGIN | {"event.outcome": "failure", "event.reason": text.partition(" (")[0]}
    return fields


def _call(columns: list[str]) -> dict[str, Value] | None:
    """A record of cdr_csv: account, from, to, context, name, channels, application and its data, three times, two spans
    in seconds (in all, and answered), how it ended, flags, id."""
    if len(columns) < 16 or not (columns[12].isdecimal() and columns[13].isdecimal()):
        return None
    fields: dict[str, Value] = {
        "event.action": "call-ended",
        "event.type": ("end",),
        "event.code": columns[14],
        "event.outcome": "success" if columns[14] == "ANSWERED" else "failure",
        "canh.sip.duration_s": int(columns[13][:9]),
    }
    for name, at in (
        ("source.user.name", 1),
        ("destination.user.name", 2),
        ("@timestamp", 11),
        ("canh.session.id", 16),
    ):
        put(fields, name, columns[at] if at < len(columns) else "")
    return fields


def _add_security(fields: dict[str, Value], text: str) -> None:
    pairs = dict(_PAIR.findall(text))
    event = pairs.get("SecurityEvent", "")
    put(fields, "event.code", event)
    put(fields, "@timestamp", pairs.get("EventTV"))
    put(fields, "user.name", pairs.get("AccountID"))
    put(fields, "canh.session.id", pairs.get("SessionID"))
    put(fields, "network.protocol", {"PJSIP": "sip", "SIP": "sip", "IAX2": "iax2"}.get(pairs.get("Service", ""), ""))
    for side, key in (("source", "RemoteAddress"), ("destination", "LocalAddress")):
        end = _END.search(pairs.get(key, ""))
        if end is not None:
            put(fields, "network.transport", end[1])
            put(fields, f"{side}.ip", end[2])
            put(fields, f"{side}.port", end[3])
    if event == "ChallengeSent":
        return
    fields |= _LOGIN
    fields["event.outcome"] = "success" if event in _GOOD else "failure"
    if event not in _GOOD:
        fields |= {"event.reason": event, "canh.sip.final": True}
