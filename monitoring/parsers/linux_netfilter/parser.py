"""Packets as the kernel and ulogd2 print them: `<prefix>IN=eth0 OUT= MAC=... SRC=... DST=... PROTO=TCP SPT=...`.

The prefix says what was decided. Ours is `canh:<verdict>:<chain> `; others are read by their words.
"""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, ip_text, mac_text

_START = re.compile(r"(?:\[ *\d+\.\d+\] )?(.*?) ?\b(?:IN=(\S*)(?: OUT=(\S*))?|OUT=(\S*))", re.DOTALL)
# Proxmox: the machine's number, the level, the chain, the time, the verdict.
_PROXMOX = re.compile(r"\d{1,9} \d ([\w-]{1,64}) (\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}) ?(.*)", re.DOTALL)
_PAIR = re.compile(r"\b([A-Z]{1,10})=(\S*)")
_OURS = re.compile(r"canh:(allow|deny):(\S+)")
_DENIED = re.compile(r"(?<![A-Za-z])(?:block|drop|deny|denied|reject|refused)", re.IGNORECASE)
_ALLOWED = re.compile(r"(?<![A-Za-z])(?:allow|accept|pass|permit)", re.IGNORECASE)
# Ubiquiti: [WAN_LOCAL-default-D], [WAN_IN-2000-A], [LAN_IN-R-2001]: a set of rules, the rule, the verdict.
_UBIQUITI = re.compile(r"\[([\w-]{1,64}?)-(?:(\w{1,16})-([ADR])|([ADR])-(\w{1,32}))\]")
_VERDICTS = {"A": "allow", "D": "deny", "R": "deny"}
_NUMBERS = {"ICMP": "1", "IGMP": "2", "TCP": "6", "UDP": "17", "GRE": "47", "ESP": "50", "AH": "51", "ICMPv6": "58",
            "OSPF": "89", "SCTP": "132"}  # fmt: skip
_NAMES = {number: name for name, number in _NUMBERS.items()}
_INTEGERS = {"SPT": "source.port", "DPT": "destination.port"}
_FLAGS = ("SYN", "ACK", "FIN", "RST", "PSH", "URG")


def parse(line: Line) -> dict[str, Value] | None:
    """The packet of a line; None when it tells of none."""
    start = _START.match(line.text)
    if start is None:  # ulogd2 about itself, or pairs of a firewall that calls its own program so
        is_its_own = line.app_name.startswith("ulogd") and '="' not in line.text
        return {"event.category": ("process",), "event.type": ("info",)} if is_its_own else None
    prefix, ingress, egress, only_egress = start.groups()
    egress = egress or only_egress
    packet = line.text[start.end() :].partition(" [")[0]  # an ICMP error quotes the packet it is about in brackets
    pairs: dict[str, str] = {}
    for key, value in _PAIR.findall(packet):
        pairs.setdefault(key, value)  # UDP repeats LEN
    source, destination = ip_text(pairs.get("SRC", "")), ip_text(pairs.get("DST", ""))
    if source is None or destination is None:
        return None
    fields: dict[str, Value] = {"source.ip": source, "destination.ip": destination, "event.category": ("network",)}
    proxmox = _PROXMOX.match(prefix)
    _add_verdict(fields, proxmox[3].strip() if proxmox is not None else prefix.strip())
    if proxmox is not None:
        fields["rule.name"], fields["@timestamp"] = proxmox[1], proxmox[2]
    if ingress:
        fields["observer.ingress.interface.name"] = ingress
    if egress:
        fields["observer.egress.interface.name"] = egress
    _add_protocol(fields, pairs, packet)
    _add_hardware(fields, pairs.get("MAC", ""))
    return fields


def _add_verdict(fields: dict[str, Value], prefix: str) -> None:
    ours = _OURS.match(prefix)
    ubiquiti = _UBIQUITI.match(prefix)
    if ours is not None:
        verdict, fields["rule.name"] = ours.groups()
    elif ubiquiti is not None:
        verdict = _VERDICTS[ubiquiti[3] or ubiquiti[4]]
        fields["rule.name"], fields["rule.id"] = ubiquiti[1], ubiquiti[2] or ubiquiti[5]
    else:
        verdict = "deny" if _DENIED.search(prefix) else "allow" if _ALLOWED.search(prefix) else ""
        if prefix:
            fields["rule.name"] = prefix.rstrip(":")
    if verdict == "deny":
        fields |= {
            "event.action": "connection-denied",
            "event.type": ("connection", "denied"),
            "event.outcome": "failure",
        }
    elif verdict == "allow":
        fields |= {
            "event.action": "connection-allowed",
            "event.type": ("connection", "allowed"),
            "event.outcome": "success",
        }
    else:
        fields["event.type"] = ("connection", "info")


def _add_protocol(fields: dict[str, Value], pairs: dict[str, str], packet: str) -> None:
    protocol = pairs.get("PROTO", "")
    if protocol:
        name = _NAMES.get(protocol, protocol)
        fields["network.transport"] = "ipv6-icmp" if name == "ICMPv6" else name.lower()
        number = _NUMBERS.get(name) or (protocol if protocol.isdecimal() else "")
        if number:
            fields["network.iana_number"] = number
    for key, field in _INTEGERS.items():
        if pairs.get(key, "").isdecimal():
            fields[field] = int(pairs[key][:9])
    if pairs.get("LEN", "").isdecimal():
        fields["network.bytes"] = int(pairs["LEN"][:9])
    if protocol in ("TCP", "6"):
        words = packet.split(" ")
        flags = [flag for flag in _FLAGS if flag in words]
        if flags:
            fields["canh.tcp.flags"] = ",".join(flags)
    if protocol in ("ICMP", "1", "ICMPv6", "58") and pairs.get("TYPE", "").isdecimal():
        fields["canh.icmp.type"] = pairs["TYPE"]
        fields["canh.icmp.code"] = pairs.get("CODE", "")


def _add_hardware(fields: dict[str, Value], mac: str) -> None:
    """MAC= is destination, source and type in one: 6 + 6 + 2 octets."""
    octets = mac.split(":")
    if len(octets) >= 12:
        fields["destination.mac"] = mac_text(":".join(octets[:6]))
        fields["source.mac"] = mac_text(":".join(octets[6:12]))
