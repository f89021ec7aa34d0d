"""Infoblox NIOS: `time [user]: Login_Allowed - - to=... ip=...` and RPZ hits in CEF."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, cef_of, put

_AUDIT = re.compile(
    r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?Z) \[([^\]]{0,255})\]: (\w{3,32})(?: -)?(.*)", re.DOTALL
)
_PAIR = re.compile(r"(\w{1,32})=(\"[^\"]*\"|\S+)")
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
    match = _AUDIT.search(line.text[:512])
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
    pairs = {key: value.strip('"') for key, value in _PAIR.findall(rest)}
    for key, field in (("ip", "source.ip"), ("group", "group.name"), ("error", "event.reason"),
                       ("apparently_via", "canh.session.type"), ("auth", "canh.auth.method")):  # fmt: skip
        put(fields, field, pairs.get(key))
    return fields


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
