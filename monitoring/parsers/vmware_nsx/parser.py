"""NSX: packets of its firewalls, and what its manager says of logins, changes and itself."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Parsed, put, structured_pairs
from monitoring.parsers._network import add_sentence

_PACKET = re.compile(
    r"INET6? (?P<reason>[A-Za-z][\w-]{2,24})(?: (?P<action>PASS|DROP|REJECT|NAT|NONAT|RDR|NORDR|PUNT"
    r"|REDIRECT|COPY|PBR|LB|"
    r"DETECT))?"
    r"(?: (?P<rule>\S{1,64}))? (?P<direction>IN|OUT)(?: (?P<length>\d{1,9}))? (?:PROTO"
    r" )?(?P<protocol>[A-Z0-9][\w-]{0,15})"
    r"(?: (?P<ended>(?!\d{1,3}\.)[A-Z][\w-]{1,16}))? "
    r"(?P<source>[0-9A-Fa-f.:]{2,45})(?:/(?P<sport>\d{1,5}))? ?->"
    r" ?(?P<target>[0-9A-Fa-f.:]{2,45})(?:/(?P<dport>\d{1,5}))?"
    r"(?: (?P<flags>[SAFRPUEW]{1,8})(?= |\Z))?(?P<rest>.{0,256})",
    re.DOTALL,
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]{8,18}(?:Z|[+-]\d\d:?\d\d)")
_COUNTS = re.compile(r"(\d{1,12})/(\d{1,12}) (\d{1,15})/(\d{1,15})")
_AUDIT = re.compile(r"([A-Za-z][\w ]{1,24}) ?[=:] ?(?:\"([^\"]{0,512})\"|'([^']{0,512})'|\[?([^,\]\s\"']{1,256})\]?)")
_NAMES = {"username": "user.name", "user": "user.name", "operation": "canh.nsx.operation",
    "operationname": "canh.nsx.operation",
          "operation status": "event.outcome", "modulename": "canh.nsx.module", "clientip": "source.ip",
          "remoteip": "source.ip", "src": "source.ip", "destination": "url.domain"}  # fmt: skip


def parse(line: Line) -> Parsed | None:
    fields: dict[str, Value] = {}
    if line.structured:
        told = structured_pairs(line.structured)
        for key, name in (("comp", "canh.nsx.component"), ("subcomp", "canh.nsx.subcomponent"), ("username",
            "user.name"),
                          ("errorCode", "event.code"), ("level", "log.level"), ("entId", "canh.nsx.entity"),
                          ("eventType", "event.code"), ("eventFeatureName", "canh.nsx.feature")):  # fmt: skip
            if key in told:
                put(fields, name, told[key])
    packet = _PACKET.search(line.text[:2048])
    if packet is not None:
        when = _TIME.match(line.text)
        return fields | _of_packet(packet) | ({"@timestamp": when[0]} if when is not None else {})
    if (
        not line.structured
        and line.app_name not in ("NSX", "NSXV", "nsx-idps")
        and "nsx" not in line.text[:512].lower()
    ):
        return None
    _add_audit(fields, line.text)
    return fields


def _of_packet(packet: re.Match[str]) -> dict[str, Value]:
    fields: dict[str, Value] = {}
    for group, name in (("source", "source.ip"), ("sport", "source.port"), ("target", "destination.ip"),
                        ("dport", "destination.port"), ("protocol", "network.transport"), ("length", "network.bytes"),
                        ("flags", "canh.tcp.flags")):  # fmt: skip
        put(fields, name, packet[group])
    ruleset, slash, rule = (packet["rule"] or "").rpartition("/")
    put(fields, "rule.id", rule if slash else packet["rule"])
    put(fields, "rule.ruleset", ruleset)
    fields["network.direction"] = "inbound" if packet["direction"] == "IN" else "outbound"
    if packet["reason"] != "match":
        put(fields, "event.reason", packet["ended"] or packet["reason"])
    counts = _COUNTS.search(packet["rest"])
    if counts is not None:
        for name, value in zip(("destination.packets", "source.packets", "destination.bytes", "source.bytes"),
                               counts.groups(), strict=True):  # fmt: skip
            fields[name] = int(value)
    if packet["reason"] == "TERM":
        return fields | {"event.category": ("network",), "event.type": ("connection", "end"),
                         "event.action": "connection-closed"}  # fmt: skip
    is_denied = packet["action"] in ("DROP", "REJECT") or packet["action"] is None
    return fields | {
        "event.category": ("network",), "event.type": ("connection", "denied" if is_denied else "allowed"),
        "event.action": "connection-denied" if is_denied else "connection-allowed",
        "event.outcome": "failure" if is_denied else "success",
    }  # fmt: skip


def _add_audit(fields: dict[str, Value], text: str) -> None:
    for found in _AUDIT.finditer(text[:4096]):
        name = _NAMES.get(found[1].strip().lower())
        if name is not None and name not in fields:
            put(fields, name, found[2] or found[3] or found[4])
    operation = str(fields.get("canh.nsx.operation", "")).lower()
    if "login" in operation or "logout" in operation:
        is_end = "logout" in operation
        fields |= {"event.category": ("authentication",), "event.type": ("end" if is_end else "start",),
                   "event.action": "logout" if is_end else "login"}  # fmt: skip
    elif operation.startswith(("create", "delete", "update", "patch", "put", "post", "revise", "add")):
        kind = "creation" if operation.startswith(("create", "add")) else "change"
        fields |= {"event.category": ("configuration",), "event.action": "config-changed",
                   "event.type": ("deletion" if operation.startswith("delete") else kind,)}  # fmt: skip
    elif operation:
        fields |= {"event.category": ("configuration",), "event.type": ("access",)}
    add_sentence(fields, text)
