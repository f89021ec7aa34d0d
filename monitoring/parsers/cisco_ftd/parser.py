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


def read(line: Line) -> Pairs | None:
    """The pairs; None when this is no security event."""
    text = line.text
    found: Pairs = {}
    mark = _MARK.search(text)
    if mark is not None:
        found["event.severity"], found["event.code"] = mark[1], mark[2]
        text = text[mark.end() :]
    elif "AccessControlRuleAction: " not in text:
        return _alert(text)
    keys = list(_PAIR.finditer(text))
    for at, key in enumerate(keys):
        end = keys[at + 1].start() if at + 1 < len(keys) else len(text)
        value = text[key.end() : end].strip().rstrip(",").strip('"')
        if value and value not in ("Unknown", "No Authentication Required", "<none>"):
            found.setdefault(key[1], value)
    return found


def _alert(text: str) -> Pairs | None:
    alert = _ALERT.search(text)
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
