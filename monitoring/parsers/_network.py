"""What the sentences of switches, routers and firewalls name: both ends, interfaces, users, addresses of cards.

For messages that no rule of a parser knows, of products whose messages are sentences: `outside:10.0.0.1/80`,
`10.0.0.1(80) -> 10.0.0.2(443)`, `Group = g, Username = u, IP = a`, `neighbor 10.0.0.1 (ge-0/0/0.0)`,
`interface Gi1/0/1`, `MAC address 0000.5e00.5301`. Only fields that are open are filled.
"""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers._fields import Fields, ip_text, put, transport_of
from monitoring.parsers._infer import infer

_IP = (
    r"(?:\d{1,3}(?:\.\d{1,3}){3}(?![\w.]*[A-Za-z_]\w)"
    r"|(?=[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:]{0,39}:|::)[0-9A-Fa-f:]{2,39}(?:\d{1,3}(?:\.\d{1,3}){3})?(?:%[\w./-]{1,32})?)"
)
_END = re.compile(  # [interface:]address[/port]
    r"(?<![\w.:-])(?:([A-Za-z][\w.-]{0,47}|[A-Z][A-Za-z]{1,20}\d[\w/.:-]{0,32}?)[:/])?\[?"
    rf"({_IP})\]?(?:/(\d{{1,5}})\b(?!\.\d)|"
    rf":(\d{{1,5}})(?![\d:.])|\((\d{{1,5}})\)|(?:,? port[: =]{{1,2}})(\d{{1,5}}))?(?!\w|:\w)"
)
_BEFORE_SOURCE = re.compile(
    r"(?:\bfrom|\bby|\bsrc|\bsource|\bclient|\bremote|\bIP|\bip|\bhost|\bpeer|\buser|\bfaddr|\battacker|\bsender|\bon)"
    r"(?: (?:IP|ip|address|addr|host|client|peer|address is|laddr))?[\s:=(\[\"'<,]{0,4}\Z",
    re.IGNORECASE,
)
_BEFORE_DESTINATION = re.compile(
    r"(?:\bto|\bdst|\bdest|\bdestination|\bserver|\bneighbor|\bnbr|\bneighbour|\btarget|\btowards|->|=>|\bwith|\band|\bdest|"
    r"\bladdr|\bpeer)(?: (?:IP|ip|address|addr|host|server|peer|address is))?[\s:=(\[\"'<,]{0,4}\Z",
    re.IGNORECASE,
)
_USER = re.compile(
    r"\b(?:[Uu]ser(?:[Nn]ame)?|USER|Uname|UserID|[Uu]ser ID|[Ll]ogin)(?: ?[:=] ?|\s)\s?"
    r"(?:\"([^\"]{1,128})\"|'([^']{1,128})'|<([^<>]{1,128})>|\[([^\[\]]{1,128})\]|([^\s,;:'\"<>()\[\]]{1,128}))"
)
_IN_BRACKETS = re.compile(r"\b(?:[Uu]sername entry|user id:?) ?\(?([^()\s]{1,128})\)")
_BY = re.compile(r"\bby (?:user )?'?([A-Za-z_][\w.@\\-]{0,63})'? (?:on|from|via|using) ")
_NO_USER = frozenset(
    [
        "is",
        "was",
        "has",
        "had",
        "not",
        "name",
        "logged",
        "login",
        "log",
        "from",
        "on",
        "in",
        "with",
        "to",
        "and",
        "or",
        "does",
        "id",
        "account",
        "authentication",
        "session",
        "failed",
        "successfully",
        "unknown",
        "the",
        "for",
        "at",
        "by",
        "password",
        "group",
        "data",
        "interface",
        "agent",
        "disconnected",
        "connected",
        "authenticated",
        "logout",
        "added",
        "deleted",
        "created",
        "changed",
        "locked",
        "list",
        "space",
        "mode",
        "requested",
        "logging",
        "console",
        "authorization",
        "command",
        "defined",
        "role",
        "priv",
        "level",
        "process",
        "address",
        "request",
        "entry",
        "database",
        "limit",
        "traffic",
        "profile",
        "certificate",
    ]
)
_INTERFACE = re.compile(
    r"(?:\b[Ii]nterface|\b[Ii]ntf|\bifName|\b[Pp]ort|\bI/f|\bIF)(?: name)?[ =:]{1,2}(?:to )?[\"'<\[]?"
    r"([A-Za-z][A-Za-z-]{0,24} ?\d[\w/.:-]{0,40})"
)
_INTERFACE_WORD = re.compile(
    r"(?:\b[Ii]nterface|\b[Ii]ntf|\bifName)(?: name)?[ =:]{1,2}(?:to )?[\"'<\[]?"
    r"(?!(?:is|was|has|with|to|on|for|in|the|number|index|not|from|of|changed|state|name|and|security|channel|down|up|"
    r"configuration|type|or|manager|link|status|failed|does|that|list|card|mode)\b)([A-Za-z][\w./:-]{0,47})"
)
_NAMED = re.compile(  # an interface told by its own name
    r"(?<![\w/.-])((?:(?:Ten|Forty|Hundred|TwentyFive|Fifty|FiftyG|TwoHundred|FourHundred)?Gig(?:abit)?E(?:thernet)?|FastEthernet|"
    r"Ethernet|GigabitEthernet|TenGigE|HundredGigE|FortyGigE|Bundle-Ether|Port-channel|port-channel|Vlan|Tunnel|Serial|"
    r"Loopback|MgmtEth|mgmt|Management|AppGigabitEthernet|TwoGigabitEthernet|FiveGigabitEthernet|Dialer|Cellular|nve|BDI|BVI|"
    r"Gi|Te|Fa|Eth|Po|Hu|Fo|Twe|Et|ge-|xe-|et-|fe-|ae|irb\.|reth|st0\.|em|fxp|vcp-|me)\d[\w/.:-]{0,32})(?![\w])"
)
_MAC = re.compile(
    r"(?<![\w:.-])(?:[0-9A-Fa-f]{2}(?:[:-][0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{4}(?:[.-][0-9A-Fa-f]{4}){2})(?![\w:-]|\.\w)"
)
_CLIENT_ID = re.compile(r"\b01([0-9a-f]{2}\.[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{2})\b")  # of DHCP: 01 is Ethernet
_VLAN = re.compile(r"\b(?:[Vv]lan|VLAN)(?: ?[iI][dD])?[ =:]{1,2}(\d{1,4})\b")
_TRANSPORT = re.compile(r"\b(TCP|UDP|ICMP|GRE|ESP|tcp|udp|icmp|gre|esp|IPv6-ICMP|icmp6|IGMP|igmp|SCTP|sctp)\b")
_APPLICATION = re.compile(r"\b(SSHv?2?|Telnet|HTTPS?|SNMP|FTP|TFTP|DNS|DHCP|NTP|RADIUS|TACACS\+?|LDAPS?|NETCONF)\b")
_NO_INTERFACE = frozenset(
    ("tcp", "udp", "icmp", "http", "https", "ftp", "tftp", "scp", "ip", "address", "user", "port")
)
LONGEST = 2048  # characters looked at


def add_sentence(fields: Fields, text: str) -> None:
    """Add what a message names, and what kind of event it tells of where that is not known."""
    text = text[:LONGEST]
    found: dict[str, Value] = {}
    _add_ends(found, text)
    _add_user(found, text)
    _add_interface(found, text)
    for side, mac in zip(("source.mac", "destination.mac"), _MAC.findall(text), strict=False):
        put(found, side, mac)
    client = _CLIENT_ID.search(text) if "source.mac" not in found else None
    if client is not None:
        put(found, "source.mac", client[1].replace(".", ""))
    vlan = _VLAN.search(text)
    if vlan is not None:
        found["network.vlan.id"] = vlan[1]
    if "source.ip" in found and "destination.ip" in found:
        transport = _TRANSPORT.search(text)
        if transport is not None:
            found["network.transport"] = transport_of(transport[1])
    application = _APPLICATION.search(text) if "source.ip" in found or "user.name" in found else None
    if application is not None:
        found["network.protocol"] = application[1].lower().replace("sshv2", "ssh").replace("ssh2", "ssh")
    for name, value in found.items():
        fields.setdefault(name, value)
    infer(fields, text)


def _add_ends(found: Fields, text: str) -> None:
    """Each address to the end its words say; the first of what is left is the source."""
    unplaced = []
    for match in _END.finditer(text):
        if ip_text(match[2]) is None or (match[2].startswith("255.") and match[2] != "255.255.255.255"):
            continue  # what looks like one, and masks
        before = text[max(0, match.start() - 32) : match.start()]
        if _BEFORE_DESTINATION.search(before) and "destination.ip" not in found:
            _add_end(found, "destination", "observer.egress", match)
        elif _BEFORE_SOURCE.search(before) and "source.ip" not in found:
            _add_end(found, "source", "observer.ingress", match)
        else:
            unplaced.append(match)
    for match in unplaced:
        address = ip_text(match[2])
        if address in (found.get("source.ip"), found.get("destination.ip")):
            continue
        if "source.ip" not in found:
            _add_end(found, "source", "observer.ingress", match)
        elif "destination.ip" not in found:
            _add_end(found, "destination", "observer.egress", match)


def _add_end(found: Fields, side: str, interface: str, match: re.Match[str]) -> None:
    name, address, *ports = match.groups()
    put(found, side + ".ip", address)
    put(found, side + ".port", next((port for port in ports if port), None))
    if name and name.lower() not in _NO_INTERFACE:
        found[interface + ".interface.name"] = name


def _add_user(found: Fields, text: str) -> None:
    for match in (*_IN_BRACKETS.finditer(text), *_USER.finditer(text), *_BY.finditer(text)):
        name = next(group for group in match.groups() if group).strip().rstrip(".")
        if name and name.lower() not in _NO_USER and ip_text(name) is None:
            put(found, "user.name", name)
            return


def _add_interface(found: Fields, text: str) -> None:
    if "observer.ingress.interface.name" in found:
        return
    match = _INTERFACE.search(text) or _NAMED.search(text) or _INTERFACE_WORD.search(text)
    if match is not None:
        found["observer.ingress.interface.name"] = match[1].rstrip(".:,")
