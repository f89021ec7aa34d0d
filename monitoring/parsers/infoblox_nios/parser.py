"""Infoblox NIOS: `time [user]: Login_Allowed - - to=... ip=...` and RPZ hits in CEF."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, cef_of, load, put

_AUDIT = re.compile(
    r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?Z) \[([^\]]{0,255})\]: (\w{3,32})(?: -)?(.*)", re.DOTALL
)
_MEMBER = re.compile(r"(\S{3,64}) ([a-z_-]{4,20}6?)(?:\[(\d{1,7})\])?: ")
_STATE = re.compile(r"Type: ([\w -]{1,48}), State: (\w{1,16}), Event: (.{1,512})")
_PAIR = re.compile(r"(\w{1,32})=(\"[^\"]*\"|\S+)")
_RECORD = re.compile(r"(\w{0,32}Record|\w{0,24}Zone) (\S{1,255}?\.\S{1,255}) ")
_KINDS: dict[str, dict[str, Value]] = {
    "Login_Allowed": {"event.action": "login", "event.outcome": "success"},
    "First_Login": {"event.action": "login", "event.outcome": "success"},
    "Login_Denied": {"event.action": "login", "event.outcome": "failure"},
    "Created": {"event.action": "config-changed", "event.type": ("creation",), "event.outcome": "success"},
    "Deleted": {"event.action": "config-changed", "event.type": ("deletion",), "event.outcome": "success"},
    "Modified": {"event.action": "config-changed", "event.type": ("change",), "event.outcome": "success"},
    "Called": {"event.action": "config-command", "event.type": ("change",), "event.outcome": "success"},
}


def parse(line: Line) -> dict[str, Value] | None:
    """What an administrator did, or a name that a policy rewrote; None for anything else."""
    if "CEF:" in line.text:
        return _policy(line.text)
    if line.app_name == "monitor":
        return _of_monitor(line.text)
    member = _MEMBER.match(line.text) if line.app_name == "" else None
    if member is not None:
        return _of_member(line, member)
    if line.app_name == "threat-protect-log":
        return {"event.dataset": "infoblox.threat", "event.category": ("host",), "event.type": ("info",)}
    match = _AUDIT.search(line.text[:512]) if "]: " in line.text[:512] else None
    if match is not None:
        match = _AUDIT.search(line.text)
    if match is None:
        return None
    when, user, what, rest = match.groups()
    fields: dict[str, Value] = {"event.dataset": "infoblox.audit", "event.code": what}
    put(fields, "@timestamp", when)
    put(fields, "user.name", user.replace("\\040", " "))
    if "Login" in what:
        fields |= {"event.category": ("authentication",), "event.type": ("start",)}
    elif what == "Logout":
        fields |= {"event.category": ("authentication",), "event.type": ("end",), "event.action": "logout"}
    else:
        fields |= {"event.category": ("configuration",), "event.type": ("info",)}
        put(fields, "canh.config.object", rest.strip().partition(":")[0][:256])
    fields |= _KINDS.get(what, {})
    record = _RECORD.match(rest.strip()) if fields.get("event.action") == "config-changed" else None
    if record is not None:
        fields["event.action"] = "zone-changed"
        put(fields, "dns.question.name", record[2])
    pairs = {key: value.strip('"') for key, value in _PAIR.findall(rest)}
    for key, field in (("ip", "source.ip"), ("group", "group.name"), ("error", "event.reason"),
                       ("apparently_via", "canh.session.type"), ("auth", "canh.auth.method")):  # fmt: skip
        put(fields, field, (pairs.get(key) or "").replace("\\040", " "))
    return fields


def _of_monitor(text: str) -> dict[str, Value] | None:
    state = _STATE.match(text)
    if state is None:
        return None
    fields: dict[str, Value] = {
        "event.dataset": "infoblox.system",
        "event.category": ("host",),
        "event.type": ("info",),
    }
    for name, value in zip(("event.code", "canh.infoblox.state", "event.reason"), state.groups(), strict=True):
        put(fields, name, value)
    return fields


def _of_member(line: Line, member: re.Match[str]) -> dict[str, Value] | None:
    """What the grid's master passes on names the member and its program once more."""
    inner = line._replace(text=line.text[member.end() :], app_name=member[2])
    index = load()
    for parser in index.by_app_name.get(member[2], ()):
        parsed = parser.parse(inner)
        if parsed is not None:
            fields: dict[str, Value] = {**parser.fields, **parsed, "process.name": member[2]}
            put(fields, "process.pid", member[3])
            put(fields, "observer.name", member[1])
            return fields
    return None


def _policy(text: str) -> dict[str, Value] | None:
    pairs = cef_of(text)
    if pairs is None or pairs.get("cef.vendor") != "Infoblox":
        return None
    fields: dict[str, Value] = {
        "event.dataset": "infoblox.rpz", "event.category": ("network", "intrusion_detection"),
        "event.type": ("denied",),
        "event.action": "dns-sinkholed", "event.outcome": "failure", "network.protocol": "dns",
    }  # fmt: skip
    names = {
        "cef.id": "event.code",
        "cef.name": "event.reason",
        "cef.severity": "event.severity",
        "src": "source.ip",
        "spt": "source.port",
        "dst": "destination.ip",
        "dpt": "destination.port",
        "fqdn": "dns.question.name",
        "msg": "message",
        "qtype": "dns.question.type",
    }
    for key, field in names.items():
        put(fields, field, str(pairs.get(key, "")).strip('"'))
    question = re.search(r" rewrite (\S{1,255})", str(pairs.get("msg", "")))
    if question is not None:
        put(fields, "dns.question.name", question[1])
        put(fields, "rule.name", str(pairs.get("msg", "")).rpartition(" via ")[2].strip('"'))
    return fields
