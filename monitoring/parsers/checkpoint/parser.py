"""Check Point: the pairs of each format of Log Exporter, the interface that `ifdir` gives a side, the time."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, any_pairs, put

NANOSECONDS = 1_000_000_000
_QUOTED = re.compile(r"([A-Za-z_][\w .()-]{0,63}?): ?\"((?:[^\"\\]|\\.){0,8192})\"", re.DOTALL)
_PLAIN = re.compile(r"(?:^|; ?|\[)([A-Za-z_][\w .()-]{0,63}?): ?([^;]{0,4096})")
_BARS = re.compile(r"(?:^|(?<!\\)\|)([A-Za-z_][\w .()-]{0,63})=((?:[^|\\]|\\.){0,8192})", re.DOTALL)
# What is left of RFC 5424, whose structured data this is not.
_SENDER = re.compile(r"(?:([\w.-]{1,128}) )?(\w{1,32}) (\d{1,10}) - \[")
_LABELS = {"Update": "update", "Rule Name": "rule_name", "Source OS": "os_name", "Application Name": "appi_name"}
_CEF_NAMES = {"act": "action", "cef.product": "product", "rule_uid": "rule_uid", "ifname": "ifname"}


def read(line: Line) -> Pairs | None:
    pairs = _pairs(line)
    if not pairs:
        return None
    if "action" not in pairs and "Action" in pairs:
        pairs = {key.lower().replace("i/f_", "if"): value for key, value in pairs.items()}
    for key, name in _CEF_NAMES.items():
        if key in pairs:
            pairs.setdefault(name, pairs[key])
    if "leef.id" in pairs:
        pairs.setdefault("action", pairs["leef.id"])
        pairs.setdefault("product", pairs["leef.product"])
    for label, name in _LABELS.items():
        if label in pairs:
            pairs.setdefault(name, pairs[label])
    return pairs if "product" in pairs or "loguid" in pairs or "action" in pairs else None


def _pairs(line: Line) -> Pairs | None:
    text = line.text
    if line.document is not None or "CEF:" in text or "LEEF:" in text:
        return any_pairs(line)
    if line.structured and "=" not in text:
        return any_pairs(line)
    if text.find(':"') >= 0 or text.find(': "') >= 0:
        return _first(_QUOTED.findall(text))
    if "|" in text and "=" in text:
        return _first(_BARS.findall(text))
    if "; " in text and ": " in text and "=" not in text[: text.find("; ")]:
        return _first(_PLAIN.findall(text))
    return any_pairs(line)


def _first(found: list[tuple[str, str]]) -> Pairs:
    pairs: Pairs = {}
    for key, value in found:
        if value.strip():
            pairs.setdefault(key.strip(), value.replace('\\"', '"').replace("\\=", "=").strip())
    return pairs


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    """The time, the interface's side, the name of a gateway that stands in its certificate's name."""
    for key in ("time", "rt", "start_time", "devTime", "Time"):
        if pairs.get(key):
            fields["@timestamp"] = str(pairs[key])
            break
    interface = pairs.get("ifname") or pairs.get("deviceInboundInterface") or pairs.get("deviceOutboundInterface")
    direction = str(pairs.get("ifdir") or pairs.get("deviceDirection", "")).lower()
    if interface:
        side = "egress" if direction in ("outbound", "1") else "ingress"
        put(fields, f"observer.{side}.interface.name", interface)
    if direction and "network.direction" not in fields:
        fields["network.direction"] = {"0": "inbound", "1": "outbound"}.get(direction, direction)
    for key in ("elapsed", "duration"):
        if str(pairs.get(key, "")).isdecimal():
            fields["event.duration"] = int(str(pairs[key])) * NANOSECONDS
            break
    sender = _SENDER.match(line.text)
    if sender is not None:
        fields["process.name"], fields["process.pid"] = sender[2], int(sender[3])
        put(fields, "observer.name", sender[1])
    elif "observer.name" not in fields:
        put(fields, "observer.name", str(pairs.get("originsicname", "")).partition(",")[0].lower().removeprefix("cn="))
    if "observer.product" not in fields:
        fields["observer.product"] = "Firewall"
    return fields
