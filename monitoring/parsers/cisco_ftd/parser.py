"""The pairs of FTD's security events, and the sentences of the older SFIMS alerts."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, transport_of
from monitoring.parsers._network import add_sentence

_MARK = re.compile(r"%(?:FTD|NGIPS)-(?:\w{1,31}-)?(\d)-(430\d{3}): ?")
_PAIR = re.compile(r"(?:\A|,? (?=[A-Z]))([A-Z][A-Za-z0-9_/]{1,47}(?: [A-Z][A-Za-z]{1,31}){0,2}): ")
# [1:2404310:5] "ET CNC ..." [Impact: Vulnerable] From "sensor" at Sun Nov 22 03:00:00 2026 UTC
#   [Classification: x] [Priority: 1] {tcp} 198.51.100.7:80->192.0.2.1:3000
_ALERT = re.compile(r"\[(\d{1,9}:\d{1,12}:\d{1,6})\] \"?([^\"\[]{1,256}?)\"? ?\[")
_BRACKETED = re.compile(r"\[(Classification|Priority|Impact): ([^\]]{1,128})\]")
_SENSOR = re.compile(r"[Ff]rom \"?([^\"/\s]{1,128})\"?")
_AT = re.compile(r" at (\w{3} \w{3} {1,2}\d{1,2} \d\d:\d\d:\d\d \d{4}(?: \w{3,4})?)")
_FLOW = re.compile(
    r"\{(\w{1,16})\} ([0-9A-Fa-f.:]{2,45}?)(?::(\d{1,5}))? ?(?:\([^)]*\) ?)?-> ?"
    r"([0-9A-Fa-f.:]{2,45}?)(?::(\d{1,5}))?(?=\s|\Z|\()"
)

# `Connection Type: Start, User: x, Access Control Rule Name: y, ..., {TCP} 192.0.2.1:5 -> 192.0.2.2:443`, before FTD
_SPACED = re.compile(r"(?:\A|[\],] ?)([A-Z][A-Za-z]{1,24}(?: [A-Z][A-Za-z]{0,24}| of){0,5}): ")
_NAMES = {
    "AccessControlRuleReasons": "AccessControlRuleReason",
    "InterfaceIngress": "IngressInterface",
    "InterfaceEgress": "EgressInterface",
    "SecurityZoneIngress": "IngressZone",
    "SecurityZoneEgress": "EgressZone",
    "SecurityIntelligenceMatchingIP": "SecIntMatchingIP",
    "SecurityIntelligenceCategory": "IPReputationSICategory",
    "WebApp": "WebApplication",
}
# What a person did in the management centre: `fmc1: admin@192.0.2.1, Policies > Access Control, Save Policy web`
_AUDIT = re.compile(r"(?:\S{1,64}: )?([\w.\\-]{1,64})@(\S{2,64}), ([^,]{1,256}), (.{1,512})\Z", re.DOTALL)
_DONE = re.compile(
    r"(Login (?:Success|Fail\w*)|Login|Logout|Session Expired)"
    r"|(Save|Creat|Modif|Delet|Add|Remov|Appl|Deploy|Edit|Import)"
)
_NOTHING = frozenset(("", "Unknown", "No Authentication Required", "<none>", "None", "N/A", "(null)"))


def read(line: Line) -> Pairs | None:
    """The pairs; None when this is no security event."""
    text = line.text
    found: Pairs = {}
    mark = _MARK.search(text)
    if mark is not None:
        found["event.severity"], found["event.code"] = mark[1], mark[2]
        text = text[mark.end() :]
    elif "Access Control Rule Action: " in text:
        return _connection(text)
    elif "AccessControlRuleAction: " not in text:
        return _alert(text)
    keys = list(_PAIR.finditer(text))
    for at, key in enumerate(keys):
        end = keys[at + 1].start() if at + 1 < len(keys) else len(text)
        value = text[key.end() : end].strip().rstrip(",").strip('"')
        if value not in _NOTHING:
            found.setdefault(key[1], value)
    return found


def _connection(text: str) -> Pairs:
    found: Pairs = {}
    flow = _FLOW.search(text)
    keys = list(_SPACED.finditer(text, 0, len(text) if flow is None else flow.start()))
    ends = [key.start() for key in keys[1:]] + [len(text) if flow is None else flow.start()]
    for key, end in zip(keys, ends, strict=True):
        name, value = key[1].replace(" ", ""), text[key.end() : end].strip(" ,")
        if value not in _NOTHING:
            found.setdefault(_NAMES.get(name, name), value)
    if "ConnectionType" in found:
        found["event.code"] = "430003" if found["ConnectionType"] == "End" else "430002"
    if flow is not None:
        found |= dict(zip(("Protocol", "SrcIP", "SrcPort", "DstIP", "DstPort"), flow.groups(), strict=True))
    return found


def _alert(text: str) -> Pairs | None:
    alert = _ALERT.search(text)
    audit = _AUDIT.match(text) if alert is None else None
    if audit is not None:
        done = _DONE.search(audit[4]) or _DONE.search(audit[3])
        what = "" if done is None else done[1] or "changed"
        return dict(zip(("User", "SrcIP", "Page", "Audit", "Done"), (*audit.groups(), what or "seen"), strict=True))
    if alert is None:
        return {"SFIMS": text} if "SFIMS" in text or "Snort Alert" in text else None
    found: Pairs = {"event.code": "430001", "SID": alert[1], "Message": alert[2].strip()}
    for key, value in _BRACKETED.findall(text):
        found[key] = value
    flow = _FLOW.search(text)
    if flow is not None:
        found |= dict(zip(("Protocol", "SrcIP", "SrcPort", "DstIP", "DstPort"), flow.groups(), strict=True))
    at = _AT.search(text)
    if at is not None:
        found["EventSecond"] = at[1]
    sensor = _SENSOR.search(text, alert.end())
    if sensor is not None:
        found["sensor"] = sensor[1]
    return found


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """Finish the fields: names of users, the signature, spans, what the product calls unknown."""
    if "event.category" not in fields:
        add_sentence(fields, line.text)
    if "GID" in pairs and "SID" in pairs:
        fields["rule.id"] = f"{pairs['GID']}:{pairs['SID']}" + (f":{pairs['Revision']}" if "Revision" in pairs else "")
    if str(pairs.get("ConnectionDuration", "")).isdecimal():
        fields["event.duration"] = int(pairs["ConnectionDuration"]) * 1_000_000_000
    if "sensor" in pairs:
        fields["observer.name"] = pairs["sensor"]
    transport = str(pairs.get("Protocol", ""))
    if "network.transport" not in fields and transport_of(transport):
        fields["network.transport"] = transport_of(transport)
    if fields.get("event.code") == "430005":
        fields["event.kind"] = "alert"
    return fields
