"""PAN-OS: which columns a line of CSV has, and what stands inside its values."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import yaml

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, cef_of, csv_of, ip_text, leef_of, put

NANOSECONDS = 1_000_000_000
COMMON = ("_", "receive_time", "serial", "type", "subtype", "_", "time_generated")
_BEGIN = re.compile(r"(?:^|[\s:])\d{0,2},(?=(?:\d{4}/\d\d/\d\d \d\d:\d\d:\d\d|\d{4}-\d\d-\d\dT[^,]{8,32}|[^,]{0,32}),)")
_THREAT = re.compile(r"(.{0,512}?)\((\d{1,12})\)\Z", re.DOTALL)
_DNS = re.compile(
    r"\((?:generic|dns|[\w -]{1,32}):([\w.-]{1,253})\)|Query[ :(]{1,3}[\w-]{0,16}:?([\w-]{1,63}(?:\.[\w-]{1,63})+)"
)
_FOR_USER = re.compile(
    r"(?i)\b(?:user ?name: |for user |by user |user: ?)[\\'\"]{0,3}([^\s'\",]{1,128})|\buser '([^'\s]{1,128})'|"
    r"\buser (?!authentication|login|id\b|name\b|is\b|was\b|has\b|not\b|session|logged|and\b)([\w.@\\-]{1,128})"
    r" (?:from|logged|fail|is|was|has)\b"
)
_FROM = re.compile(r"(?i)\bfrom:? (?:IP )?'?([0-9a-f.:]{3,45}?)'?(?:[\s,.]|\Z)")
_ADDRESS = re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d{1,3}){3})(?:\[(\d{1,5})\])?")
_PORT = re.compile(r"Port (\S{1,32}?): ?(?:MAC )?(Up|Down)", re.IGNORECASE)
_LOGGED = re.compile(r"User (\S{1,128}) (logged in|logged out|failed)", re.IGNORECASE)
# Of the applications PAN-OS tells apart those that are protocols, in ECS's words.
PROTOCOLS = {
    "web-browsing": "http", "dns-base": "dns", "google-base": "https", "ms-rdp": "rdp", "ping": "icmp",
    "snmp-base": "snmp", "ntp-base": "ntp", "smtp-base": "smtp", "ms-ds-smb-base": "smb", "ms-ds-smb": "smb",
    "ldap-base": "ldap", "imap-base": "imap",
}  # fmt: skip
_SAME = frozenset(
    [
        "ssl",
        "dns",
        "ssh",
        "ntp",
        "ldap",
        "kerberos",
        "smtp",
        "ftp",
        "snmp",
        "icmp",
        "telnet",
        "rdp",
        "sip",
        "rtp",
        "bgp",
        "ospf",
        "ike",
        "ipsec",
        "tftp",
        "syslog",
        "radius",
        "dhcp",
        "imap",
        "pop3",
        "quic",
        "netbios-ns",
        "netbios-ss",
        "netbios-dg",
        "msrpc",
        "mssql",
        "mysql",
        "http",
        "https",
        "rtsp",
        "stun",
    ]
)
LEEF_NAMES = {"Type": "type", "Subtype": "subtype", "cat": "subtype", "action": "action", "url": "misc", "URL": "misc"}


@cache
def _columns() -> dict[str, tuple[str, ...]]:
    document = yaml.safe_load(Path(__file__).with_name("columns.yaml").read_text("utf-8"))
    return {kind: COMMON + tuple(names.split()) for kind, names in document.items()}


def read(line: Line) -> Pairs | None:
    text = line.text
    if "CEF:" in text:
        return _of_cef(text)
    if "LEEF:" in text:
        return _of_leef(text)
    match = _BEGIN.search(text, 0, 400)
    if match is None:
        return None
    values = csv_of(text[match.start() :].lstrip(" :\t"))
    if len(values) < 8:
        return None
    names = _names(values)
    if names is None:
        return None
    return {name: value for name, value in zip(names, values, strict=False) if value and name != "_"}


def _names(values: list[str]) -> tuple[str, ...] | None:
    kind = values[3].upper().replace("HIP-MATCH", "HIPMATCH")
    columns = _columns()
    if kind == "CONFIG" and len(values) > 16:
        if not values[14].isdecimal():
            return columns["CONFIG_DETAIL"]
        if not values[16].isdecimal():
            return columns["CONFIG_DETAIL_LAST"]
    if kind in ("START", "END"):
        kind = "TUNNEL"
    return columns.get(kind)


def _of_cef(text: str) -> Pairs | None:
    found = cef_of(text)
    if found is None or "cef.name" not in found:
        return None
    name, identity = str(found["cef.name"]), str(found["cef.id"])
    kind = name if name.isupper() else str(found.get("DeviceEventClassID", identity)).upper()
    found.setdefault("type", kind.upper())
    found.setdefault("subtype", identity if name.isupper() else str(found.get("cat", name)).lower())
    found.setdefault("action", found.get("act", ""))
    if found.get("request"):
        found.setdefault("misc", found["request"])
    if found["type"] == "SYSTEM":
        found.setdefault("eventid", found.get("cat") or found["subtype"])
    if found["type"] == "THREAT" and found.get("cat"):
        found.setdefault("threatid", found["cat"])
    return found


def _of_leef(text: str) -> Pairs | None:
    found = leef_of(text)
    if found is None:
        return None
    for name, ours in LEEF_NAMES.items():
        if name in found:
            found.setdefault(ours, found[name])
    found.setdefault("type", str(found.get("cat", "TRAFFIC")))
    found.setdefault("action", found.get("leef.id", ""))
    return found


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    """The time, and what is more than one thing in a column: application, threat, URL, a sentence."""
    for key in ("high_res_timestamp", "time_generated", "receive_time", "devTime", "rt", "start"):
        if pairs.get(key):
            fields["@timestamp"] = str(pairs[key])
            break
    for end in ("source", "destination"):
        if fields.get(f"{end}.nat.ip") in ("0.0.0.0", "::"):  # noqa: S104  not translated
            del fields[f"{end}.nat.ip"]
    if fields.get("event.code") == "0":
        del fields["event.code"]
    elapsed = str(pairs.get("elapsed", ""))
    if elapsed.isdecimal():
        fields["event.duration"] = int(elapsed) * NANOSECONDS
    application = str(fields.get("network.application", "")).lower()
    if application in _SAME:
        fields["network.protocol"] = application
    elif application in PROTOCOLS:
        fields["network.protocol"] = PROTOCOLS[application]
    kind = pairs["type"]
    if kind == "THREAT":
        _refine_threat(fields, pairs)
    elif kind in ("SYSTEM", "AUTHENTICATION") or "opaque" in pairs:
        _refine_text(fields, str(pairs.get("opaque") or pairs.get("msg", "")))
    if kind == "CONFIG" and pairs.get("host") and "source.ip" not in fields:
        put(fields, "source.ip", pairs["host"])
    return fields


def _refine_threat(fields: dict[str, Value], pairs: Pairs) -> None:
    threat, kind = str(pairs.get("threatid", "")), str(pairs.get("subtype", ""))
    match = _THREAT.match(threat)
    if match is not None and match[2] != "9999":  # 9999: URL filtering
        fields["event.code"] = fields["canh.threat.id"] = match[2]
        put(fields, "canh.threat.name", match[1])
    elif threat:
        fields["canh.threat.name"] = threat
    misc = str(pairs.get("misc", "")).strip('"')
    found = _DNS.search(threat)
    if found is not None:
        fields["dns.question.name"] = found[1] or found[2]
    if kind == "url" or "/" in misc:
        put(fields, "url.full", misc)
    elif fields.get("network.protocol") == "dns" and "." in misc and " " not in misc:
        put(fields, "dns.question.name", misc)
    elif misc and " (" not in misc:
        fields["file.name"] = misc


def _refine_text(fields: dict[str, Value], text: str) -> None:
    found = _PORT.search(text)
    if found is not None:
        fields["observer.ingress.interface.name"] = found[1]
        fields["event.action"] = f"interface-{found[2].lower()}"
    found = _LOGGED.search(text)
    if found is not None:
        put(fields, "user.name", found[1])
        fields["event.category"] = ("authentication",)
        fields["event.type"] = ("end",) if found[2].lower() == "logged out" else ("start",)
        fields["event.action"] = "logout" if found[2].lower() == "logged out" else "login"
        fields["event.outcome"] = "failure" if found[2].lower() == "failed" else "success"
    if "user.name" not in fields:
        found = _FOR_USER.search(text)
        if found is not None:
            put(fields, "user.name", (found[1] or found[2] or found[3]).rstrip(".;\\"))
    if "source.ip" not in fields:
        found = _FROM.search(text)
        address = None if found is None else ip_text(found[1].rstrip(".:"))
        if address is not None:
            fields["source.ip"] = address
            return
        _add_addresses(fields, text)


def _add_addresses(fields: dict[str, Value], text: str) -> None:
    """Of IKE and the like: the first two addresses of the text, ours and the other's."""
    for (address, port), end in zip(_ADDRESS.findall(text), ("source", "destination"), strict=False):
        put(fields, f"{end}.ip", address)
        if port:
            put(fields, f"{end}.port", port)
