"""SonicOS: ends that are address, port, interface and name in one value; a protocol and its service in another."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, any_pairs, ip_text, put
from monitoring.parsers._network import add_sentence

_RULE = re.compile(r"(\d{1,10})(?: ?\((.*?)\))?\Z", re.DOTALL)
_SPOKEN = re.compile(r"(ICMP|TCP|UDP|ICMPv6|IGMP) (?:packet|connection|port)\b")
_IPV6_END = re.compile(r"([0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}):(\d{1,5}):([\w-]{1,32})(?::(.*))?\Z")
_SIDES = {"source": "ingress", "destination": "egress"}


def read(line: Line) -> Pairs | None:
    pairs = any_pairs(line)
    if not pairs or not ({"m", "sn", "fw", "cef.vendor", "id"} & pairs.keys()):
        return None
    if "cef.id" in pairs:
        pairs.setdefault("m", pairs["cef.id"])
        pairs.setdefault("msg", pairs.get("cef.name", ""))
    if pairs.get("id") != "sslvpn":  # whose numbers mean something else
        pairs["firewall m"] = pairs.get("m", "")
    return pairs


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    if pairs.get("time"):
        local, plain = str(pairs["time"]), str(pairs.get("vp_time", ""))
        fields["@timestamp"] = plain if plain.endswith("UTC") and not local.endswith("UTC") else local
    for end, keys in (("source", ("src", "srcV6")), ("destination", ("dst", "dstV6"))):
        for key in keys:
            if pairs.get(key):
                _add_end(fields, end, str(pairs[key]))
    for key, name in (("spt", "source.port"), ("dpt", "destination.port")):
        if key in pairs:
            put(fields, name, pairs[key])
    transport, slash, service = str(pairs.get("proto", "")).partition("/")
    if slash and service:
        put(fields, "network.transport", transport)
        if not service.isdecimal():
            put(fields, "network.protocol", service)
    elif "network.transport" not in fields:
        spoken = _SPOKEN.match(str(pairs.get("msg", "")))
        put(fields, "network.transport", None if spoken is None else spoken[1])
    _add_rule(fields, pairs)
    for key, end in (("natSrc", "source"), ("natDst", "destination")):
        if key in pairs:
            _add_translated(fields, end, str(pairs[key]))
    if "arg" in pairs:
        domain = str(fields.get("url.domain", ""))
        path, scheme = str(pairs["arg"]), "https" if fields.get("network.protocol") == "https" else "http"
        put(fields, "url.full", f"{scheme}://{domain}{path}" if domain and path.startswith("/") else path or domain)
    operation = {"1": "GET", "2": "POST", "3": "HEAD"}.get(str(pairs.get("op", "")))
    if operation:
        fields["http.request.method"] = operation
    duration = str(pairs.get("cdur", ""))
    if duration.isdecimal():
        fields["event.duration"] = int(duration) * 1_000_000  # milliseconds
    if pairs.get("id") == "sslvpn":
        fields |= {"observer.product": "SMA", "observer.type": "vpn"}
        if pairs.get("URI"):
            put(fields, "url.full", f"https://{str(pairs['URI']).removeprefix('https://')}")
    if "source.ip" not in fields:
        add_sentence(fields, str(pairs.get("msg", "")))
    return fields


def _add_end(fields: dict[str, Value], end: str, written: str) -> None:
    """`192.0.2.1:443:X1:name`; of IPv6 the last three parts are those, unless it is the address alone."""
    match = _IPV6_END.match(written)
    address = ip_text(written)
    if address is not None:
        fields[f"{end}.ip"] = address
        return
    parts = list(match.groups()) if match is not None else written.split(":", 3)
    parts += [""] * (4 - len(parts))
    put(fields, f"{end}.ip", parts[0] or "")
    put(fields, f"{end}.port", parts[1] or "")
    put(fields, f"observer.{_SIDES[end]}.interface.name", parts[2] or "")
    put(fields, f"{end}.domain", parts[3] or "")


def _add_translated(fields: dict[str, Value], end: str, written: str) -> None:
    address, _, port = written.partition(":")
    put(fields, f"{end}.nat.ip", address)
    put(fields, f"{end}.nat.port", port)


def _add_rule(fields: dict[str, Value], pairs: Pairs) -> None:
    """`rule="17 (LAN->WAN)"`: a number and between which zones."""
    written = str(pairs.get("rule", ""))
    match = _RULE.match(written)
    put(fields, "rule.id", None if match is None else match[1])
    put(fields, "rule.name", written if match is None else match[2] or match[1])
