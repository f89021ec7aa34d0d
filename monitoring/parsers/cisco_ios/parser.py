"""What the rules leave: which system it is, the direction of an adjacency, and messages that no rule knows."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs
from monitoring.parsers._network import add_sentence

_MARK = re.compile(
    r".{0,256}?%[A-Z][\w+]{0,40}(?:-\w{1,40}){0,3}-[0-7]-\w{1,64} ?: ?"
    r"(?:(?:(?:Switch|Chassis|SW|Node) ?\d{1,2} )?[RFC]P?\d{1,2}/\d{1,2}: )?",
    re.DOTALL,
)
Kind = tuple[tuple[str, ...], tuple[str, ...]]
_AUTHENTICATION: Kind = (("authentication",), ("info",))
_CONFIGURATION: Kind = (("configuration",), ("info",))
_NETWORK: Kind = (("network",), ("info",))
_HOST: Kind = (("host",), ("info",))
_INTRUSION: Kind = (("intrusion_detection",), ("info",))
_KINDS = {
    facility: kind
    for kind, facilities in {
        _AUTHENTICATION: "SEC_LOGIN AAA AAAA DOT1X MAB AUTHMGR LOGIN SSH AUTHPRIV SECURITY TACACS RADIUS EPM WEBSERVER "
        "SSHD SECD LOCALD TPLUS RADIUSD WEBAUTH AUTH SESSION_MGR SMD TAC HTTP_AUTH",
        _CONFIGURATION: "PARSER CFGLOG CONFIG MGBL ARCHIVE_DIFF ARCHIVE CONFIGD NETCONF DMI VSHD SMART_LIC "
        "LICENSE LICMGR",
        _HOST: "SYS ENVMON ENVIRONMENTAL PLATFORM PLATFORM_ENV PLATFORM_FEP ENV_MON ILPOWER STACKMGR STACK OIR "
        "REDUNDANCY RF IOSXE IOSXE_OIR IOSXE_PEM IOSXE_RP_ALARM CPU_MONITOR MEM SFF8472 TRANSCEIVER FAN "
        "THERMAL HARDWARE INFRA OS BOOT INSTALL SPA_OIR CRASHINFO NTP PFMA MODULE SYSMGR SYSMGR_UNIT "
        "KERN ENVM PLATFORM_THERMAL PLATFORM_PM CIMC DATACORRUPTION NVRAM FLASH "
        "USB IOX HA_EM CLEAR C4K_IOSMODPORTMAN C4K_CHASSIS C6KPWR "
        "C6KENV PWR DIAG ONLINE EARL",
        _INTRUSION: "IPS UTD IDS",
    }.items()
    for facility in facilities.split()
}
_LINKS = frozenset(("LINK", "LINEPROTO", "ETHPORT", "ETH_PORT_CHANNEL", "PORT", "IFMGR", "BUNDLE"))
_UP = re.compile(r"\b(?:[Uu]p|UP|[Ff]ull|FULL|established)\b")
_DOWN = re.compile(r"\b(?:[Dd]own|DOWN|lost|dead)\b")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """Finish the fields that the rules found."""
    facility = str(fields.get("canh.cisco.facility", ""))
    if "-" in facility:
        fields["observer.product"] = "IOS XR"
    if "event.category" not in fields:
        _add_unknown(fields, line, facility)
    elif "canh.nbr.state" in fields and "event.action" not in fields:
        _add_adjacency(fields)
    if "destination.ip" in fields and str(fields.get("event.action", "")).startswith("routing-"):
        fields["canh.nbr.ip"] = fields.get("source.ip", fields["destination.ip"])
    if fields.get("source.domain") == "LOCAL" and fields.get("event.action") == "login":
        fields["canh.line"] = "console"
        del fields["source.domain"]
    if line.app_name and line.app_name == fields.get("process.name"):
        del fields["process.name"]
    return fields


def _add_adjacency(fields: dict[str, Value]) -> None:
    before, after = str(fields.get("canh.nbr.before", "")).upper(), str(fields["canh.nbr.state"]).upper()
    if after == "FULL":
        fields["event.action"] = "routing-neighbor-up"
    elif before == "FULL" or after == "DOWN":
        fields["event.action"] = "routing-neighbor-down"


def _add_unknown(fields: dict[str, Value], line: Line, facility: str) -> None:
    start = _MARK.match(line.text)
    text = line.text if start is None else line.text[start.end() :]
    add_sentence(fields, text)
    if fields.get("event.action") == "login" and not fields.keys() & {"user.name", "source.ip", "source.mac"}:
        del fields["event.action"]  # it tells of logins, of none in particular
        fields["event.type"] = ("info",)
    part = facility.rpartition("-")[2]
    kind = _KINDS.get(part) or _KINDS.get(facility.partition("-")[0]) or _NETWORK
    if fields["event.category"] in (("host",), ("network",)):
        if kind[0] != fields["event.category"]:
            fields["event.category"], fields["event.type"] = kind
        if part in _LINKS and "observer.ingress.interface.name" in fields:
            is_up, is_down = _UP.search(text) is not None, _DOWN.search(text) is not None
            if is_up is not is_down:
                fields["event.action"] = "interface-up" if is_up else "interface-down"
                fields["event.type"] = ("info", "change")
