"""FortiOS: the pairs in any of their clothes, the time out of three keys, and what stands inside a value."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, cef_of, ip_text, pairs_of, put
from monitoring.parsers._network import add_sentence

NANOSECONDS = 1_000_000_000
_INTERFACE_OF_USER = re.compile(r"([\w-]{1,32})\(([0-9A-Fa-f:.]{2,45})\)")  # ui="https(10.0.0.1)"
_PREFIX = "FTNTFGT"
_NEIGHBOUR = re.compile(r"(?i)\bneighbou?r\b.{0,96}\b(down|up|full|established|init|deleted|closed|idle)\b")
_INTERFACE = re.compile(r"(?i)\binterface ([\w./-]{1,48}) .{0,32}\b(up|down)\b")
_TUNNELS = {"tunnel-up": "vpn-tunnel-up", "tunnel-down": "vpn-tunnel-down"}
_PROTOCOLS = frozenset({"https", "http", "ssh", "telnet", "ftp", "tftp", "snmp", "rdp"})


def pairs_of_cef(text: str) -> Pairs | None:
    """The keys of FortiOS out of its CEF: `FTNTFGTlogid` is `logid`; the type stands in the header's name too."""
    found = cef_of(text)
    if found is None:
        return None
    plain = {key.removeprefix(_PREFIX): value for key, value in found.items()}
    kind, _, subtype = str(found.get("cef.name", "")).split(" ")[0].partition(":")
    category, _, below = str(found.get("cat", "")).partition(":")
    plain.setdefault("logid", found.get("cef.id", ""))
    plain.setdefault("type", category or kind)
    plain.setdefault("subtype", (below or subtype).split(" ")[0])
    if "app" in found:  # of CEF the service; FortiOS' own `app` has the prefix
        plain.setdefault("service", found["app"])
        if _PREFIX + "app" not in found:
            del plain["app"]
        else:
            plain["app"] = found[_PREFIX + "app"]
    for key, name in (("act", "action"), ("outcome", "status"), ("sproc", "ui"), ("request", "url")):
        if key in found:
            plain.setdefault(name, found[key])
    return plain


def read(line: Line) -> Pairs | None:
    text = line.text
    if line.document is not None:
        pairs: Pairs | None = {key: str(value) for key, value in line.document.items() if value is not None}
    elif "CEF:" in text:
        pairs = pairs_of_cef(text)
    else:
        date = text.find("date=", 0, 200)
        is_csv = date >= 0 and "," in text[date + 13 : date + 16]  # what FortiOS calls so
        pairs = pairs_of(text, "," if is_csv else " ")
    if not pairs:
        return None
    if "log_id" in pairs:
        pairs.setdefault("logid", pairs["log_id"])
    kind = pairs.get("type")
    kind = kind if kind in ("traffic", "event") else "utm"
    pairs["kind action"] = f"{kind} {pairs.get('action', '')}"
    if "status" in pairs:
        pairs["kind status"] = f"{kind} {pairs['status']}"
    return pairs


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    """What is written in two keys, or inside one."""
    if "logid" not in pairs and "devid" not in pairs and "cef.id" not in pairs and "sip" not in pairs:
        return None
    _add_time(fields, pairs)
    duration = pairs.get("duration")
    if duration is not None and str(duration).isdecimal():
        fields["event.duration"] = int(duration) * NANOSECONDS
    if pairs["type"] == "event":
        _refine_event(fields, pairs)
    elif "hostname" in pairs:
        put(fields, "url.domain", pairs["hostname"])
    if "url" in pairs:
        _add_url(fields, str(pairs["url"]))
    return fields


def _add_time(fields: dict[str, Value], pairs: Pairs) -> None:
    date, clock = pairs.get("date"), pairs.get("time")
    if "tz" in pairs:
        fields["event.timezone"] = str(pairs["tz"])
    if "eventtime" in pairs:
        fields["@timestamp"] = str(pairs["eventtime"])
    elif date is not None and clock is not None:
        fields["@timestamp"] = f"{date} {clock}"
    elif "start" in pairs or "rt" in pairs:
        fields["@timestamp"] = str(pairs.get("start") or pairs["rt"])


def _add_url(fields: dict[str, Value], url: str) -> None:
    domain = fields.get("url.domain")
    if url.startswith("/") and domain:
        scheme = "https" if fields.get("network.protocol") == "https" else "http"
        url = f"{scheme}://{domain}{url}"
    put(fields, "url.full", url)


def _refine_event(fields: dict[str, Value], pairs: Pairs) -> None:
    ui = str(pairs.get("ui", ""))
    if ui:
        match = _INTERFACE_OF_USER.match(ui)
        address = None if match is None else ip_text(match[2])
        if match is not None and address is not None:
            fields.setdefault("source.ip", address)
        spoken = ui.lower() if address is None or match is None else match[1].lower()
        if spoken in _PROTOCOLS:
            fields.setdefault("network.protocol", spoken)
    if ui.lower() in ("console", "newcli", "jsconsole") and fields.get("event.action") == "login":
        fields["canh.line"] = "console" if ui.lower() == "console" else ui.lower()
    action = str(pairs.get("action", ""))
    if action in _TUNNELS:
        fields["event.action"] = _TUNNELS[action]
    elif "event.action" not in fields and action not in ("", "none"):
        fields["event.action"] = action.lower().replace(" ", "-")
    for key, name in (
        ("ip", "source.ip"),
        ("addr", "source.ip"),
        ("hostname", "source.domain"),
        ("name", "source.domain"),
    ):
        if key in pairs and name not in fields:
            put(fields, name, pairs[key])
    _refine_message(fields, pairs)


def _refine_message(fields: dict[str, Value], pairs: Pairs) -> None:
    """Neighbours and interfaces are named in the sentence only."""
    text = str(pairs.get("msg", ""))
    if pairs.get("subtype") == "router":
        state = _NEIGHBOUR.search(text)
        if state is not None:
            is_down = state[1].lower() in ("down", "init", "deleted", "closed", "idle")
            fields["event.action"] = "routing-neighbor-down" if is_down else "routing-neighbor-up"
    elif "interface" in text.lower():
        state = _INTERFACE.search(text)
        if state is not None:
            fields["observer.ingress.interface.name"] = state[1]
            fields["event.action"] = f"interface-{state[2].lower()}"
    if "source.ip" not in fields and text:
        add_sentence(fields, text)
