"""StoneOS: `<id> <serial> (<system>) <Kind>@<MODULE>: ...`; traffic names both ends, the interface, policy and user."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Parsed, put
from monitoring.parsers._network import add_sentence

_HEAD = re.compile(r"(?:([0-9a-f]{8}) )?(?:(\w{8,20})(?: \((\S{1,32})\))? )?(?:(\w{2,16})@)?(\w{2,16}): ?")
_FLOW = re.compile(
    r"([0-9A-Fa-f.:]{2,45}?):(\d{1,5})(?:\(\S{1,64}\))?->([0-9A-Fa-f.:]{2,45}?):(\d{1,5})(?:\(([\w-]{1,16})\))?"
)
_NAMED = re.compile(
    r"(?:\A|, ?)(application|interface|vr|policy|user|host|send packets|send bytes|receive packets|receive"
    r" bytes|url|method|"
    r"mac address|rule|category|virus name|signature id|threat name|action) (?:-@-|([^,]{1,512}))"
)
_NAMES = {
    "application": "network.application", "interface": "observer.ingress.interface.name",
    "send packets": "source.packets",
    "send bytes": "source.bytes", "receive packets": "destination.packets", "receive bytes": "destination.bytes",
    "host": "source.domain", "url": "url.full", "method": "http.request.method", "mac address": "source.mac",
    "category": "rule.category", "virus name": "canh.threat.name", "threat name": "rule.name",
    "signature id": "rule.id",
    "rule": "rule.id",
}  # fmt: skip


def parse(line: Line) -> Parsed | None:
    head = _HEAD.match(line.text)
    if head is None or head[4] is None:
        return None
    fields: dict[str, Value] = {}
    for group, name in ((1, "event.code"), (2, "observer.serial_number"), (3, "canh.vsys")):
        put(fields, name, head[group])
    text = line.text[head.end() :]
    kind, module = head[4].lower(), head[5]
    flow = _FLOW.search(text[:1024])
    if flow is not None:
        ends = ("source.ip", "source.port", "destination.ip", "destination.port", "network.transport")
        for name, value in zip(ends, flow.groups(), strict=True):
            put(fields, name, value)
    verdict = ""
    for name, value in _NAMED.findall(text[:4096]):
        if name == "policy":
            number, _, word = value.partition(" ")
            verdict = value if not number.isdecimal() else word or verdict
            put(fields, "rule.id", number if number.isdecimal() else "")
        elif name == "user":
            put(fields, "user.name", value.partition("@")[0])
            put(fields, "source.user.name", value.partition("@")[0])
        elif name in _NAMES:
            put(fields, _NAMES[name], value.strip())
    fields |= _kind(kind, module, text, verdict)
    add_sentence(fields, text.replace(" user -@-", ""))
    return fields


def _kind(kind: str, module: str, text: str, verdict: str) -> dict[str, Value]:
    lower = text[:1024].lower()
    if module == "FLOW" or kind == "traffic":
        if "den" in verdict or "drop" in verdict or "policy deny" in lower or "session deny" in lower:
            return {"event.category": ("network",), "event.type": ("connection", "denied"),
                    "event.action": "connection-denied", "event.outcome": "failure"}  # fmt: skip
        step = "end" if "session end" in lower else "start" if "session start" in lower else "info"
        return {"event.category": ("network",), "event.type": ("connection", step, "allowed"),
                "event.action": "connection-allowed", "event.outcome": "success"}  # fmt: skip
    if kind == "threat" or module in ("IPS", "AV", "AD", "SECURITY"):
        return {"event.kind": "alert", "event.category": ("intrusion_detection", "network"), "event.type": ("info",),
                "event.action": "attack-detected"}  # fmt: skip
    if kind == "config":
        return {"event.category": ("configuration",), "event.type": ("change",), "event.action": "config-changed"}
    return {}
