"""Huawei VRP: the header of a message, its keys, and what happened by its module and brief."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from monitoring.event import Value
from monitoring.parsers import Line, put
from monitoring.parsers._catalogue import catalogue_of, plain
from monitoring.parsers.generic_text.parser import add_words

_HEAD = re.compile(
    r"#?\s?(?:%% ?(\d\d)? ?:? ?)?(?:([A-Za-z][\w-]{0,31})/(\d)/([A-Za-z_][\w/-]{1,64}))"
    r"(?:\((\w)\))?(?:\[(\d{1,10})\])?:\s?"
)
_HOST = re.compile(r"([A-Za-z][\w.-]{0,63}) %%(?:01[A-Z]|:)")
_TAGS = re.compile(r"(?:\[?(?:CID|VS|Slot|Vcpu|alarmID|DEV-IP|VSYS|Chassis)=[^;:\]\s]{1,64}[;:\]]? ?){1,4}")
_PAIR = re.compile(
    r"(?:\A|[(,;]\s{0,4}|\. ?)([A-Za-z][\w /.-]{0,48}?) ?= ?"
    r"(?:\"([^\"]{0,4096})\"?|([^,;()=]{0,512}(?:\([^()]{0,128}\))?))"
)
_COLON_PAIR = re.compile(r"([A-Z][A-Z0-9-]{1,32}):([^;]{0,256});")
_ACL = re.compile(
    r"Acl (\S{1,32}) (permit|deny) (\S{1,64}) (?:(\S{11,17}) -> (\S{11,17}) )?(\S{1,16}) "
    r"([\dA-Fa-f.:]{2,45})(?:\((\d{1,5})\))? -> "
    r"([\dA-Fa-f.:]{2,45})(?:\((\d{1,5})\))?"
)
_INTERFACE = re.compile(r"interface (\S{1,64}) has (?:turned into|entered the|changed to) (UP|DOWN)", re.IGNORECASE)
_STATE = re.compile(r"(?:link|protocol)\w{0,8}.{0,64}?(up|down)", re.IGNORECASE)
_PEER = re.compile(r"peer (\S{2,45}) changed from (\w{1,16}) to (\w{1,16})")
_MOVED = re.compile(r"Original-Port ?= ?(\S{1,64}?),.{0,16}?Flapping port ?= ?(\S{1,64}?)(?:[,.)]|\Z| )")
_EDGE = re.compile(r"edged-port (\S{1,64}) that enabled BPDU")
_ROLE = re.compile(r"state (\w{4,12}) changed to (\w{4,12})")
_USER = re.compile(
    r"[Ll]ocal account (\S{1,128}) has been|[Uu]ser (?!attack\b)(\S{1,128}) (?:failed|succeeded|logged)|"
    r"(?:VTY|Console|con)\d{0,3} login from (\S{2,45})"
)
_CATALOGUE = catalogue_of(Path(__file__).parent)
_RESULT = ("result", "loginresult", "action", "errcode")
_GOOD = frozenset(("success", "succeeded", "succeed", "successful", "permit", "allow", "0", "pass"))
_BAD = frozenset(
    ("fail", "failed", "failure", "block", "blocked", "deny", "denied", "discard", "reset-both", "blacklist")
)
_LOOKING = re.compile(
    r"\s{0,4}(?:dis|display|quit|return|screen-|ping|tracert|system-view|user-interface|terminal|language)",
    re.IGNORECASE,
)
_AAA_SERVER = re.compile(r"server\D{0,24}\(?IP: ?([\dA-Fa-f.:]{2,45})")
_CONSOLE = re.compile(r"logg(?:ing|ed) in to ((?:CON|TTY|AUX)\d{1,3})", re.IGNORECASE)
_NODE = re.compile(r"RequestId=\d{1,12}, ([A-Za-z][\w.-]{1,200})=")
_REFUSED = re.compile(r"privilege|permission|authoriz", re.IGNORECASE)
_UNKNOWN = frozenset(("**", "_system_", "_public_", "--", "unknown"))


def parse(line: Line) -> dict[str, Value] | None:
    """The event of a message; None when it has no module and brief."""
    head = _HEAD.search(line.text, 0, 256)
    host = _HOST.match(line.text)
    if head is None and host is not None:  # the header `host-name` with the words of `mtn` alone
        built = _BUILT.search(line.text, 0, 512)
        if built is None:
            return None
        fields: dict[str, Value] = dict(_CATALOGUE.meaning("SECLOG/SESSION_BUILT"))
        put(fields, "observer.name", host[1])
        fields["host.name"], fields["observer.type"] = host[1], "firewall"
        _add_session(fields, built)
        return fields
    if head is None or (head[1] or "01") != "01":
        return None
    _, module, severity, brief, flag, count = head.groups()
    body = line.text[head.end() :]
    tags = _TAGS.match(body)
    body = body[tags.end() :] if tags is not None else body
    fields = dict(_CATALOGUE.meaning(f"{module}/{brief}"))
    if host is not None:
        fields["host.name"] = fields["observer.name"] = host[1]
    fields["event.code"] = f"{module}/{severity}/{brief}"
    fields["log.syslog.severity.code"] = int(severity)
    fields["observer.type"] = "firewall" if module in _FIREWALL else "router"
    if count:
        fields["event.sequence"] = int(count)
    if flag == "t":
        fields["canh.snmp.kind"] = "trap"
    pairs = _pairs(body)
    _CATALOGUE.add_keys(fields, pairs)
    _add_sentence(fields, body, pairs)
    return fields


_BUILT = re.compile(  # the format `mtn`
    r"an? (\w{2,8}) session, (?=\S{3,64} )([0-9A-Fa-f.:]{2,45}):(\d{1,5}) \(([^()]{1,64})\) to "
    r"([0-9A-Fa-f.:]{2,45}):(\d{1,5}) \(([^()]{1,64})\)"
)
_FIREWALL = frozenset(("POLICY", "SECLOG", "IPS", "IPSTRAP", "AV", "URL", "CNC", "FW-LOG", "ATK", "SEC"))


def _pairs(body: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, quoted, bare in _PAIR.findall(body):
        value = (quoted or bare.strip().rstrip(".")).strip()
        if value and value not in _UNKNOWN:
            found.setdefault(plain(key), value)
    if "[USER_INFO" in body[:64] or body.count(":") > 3:
        for key, value in _COLON_PAIR.findall(body):
            if value.strip():
                found.setdefault(plain(key), value.strip())
    return found


def _add_sentence(fields: dict[str, Value], body: str, pairs: Mapping[str, str]) -> None:
    """What only the words say: the verdict, the direction of a state, who it is about."""
    _add_result(fields, pairs)
    built = _BUILT.search(body, 0, 512)
    if built is not None:
        _add_session(fields, built)
    server = _AAA_SERVER.search(body) if fields.get("event.action") == "aaa-server-down" else None
    if server is not None:
        put(fields, "destination.ip", server[1])
    console = _CONSOLE.search(body) if fields.get("event.action") == "login" else None
    if console is not None:
        fields["canh.line"] = console[1].lower()
    if pairs.get("authenticationmethod", "").lower() == "none":  # a word that else says nothing
        fields["canh.auth.method"] = "none"
    if fields.get("event.action") == "snmp-set":
        put(fields, "canh.snmp.object", _node(body))
    command = pairs.get("command")
    if command is not None and _REFUSED.search(pairs.get("result", "")):
        fields["canh.auth.reason"] = "authorization"
    if command is not None and _LOOKING.match(command):
        fields["event.action"] = "show-command"
        fields["event.category"], fields["event.type"] = ("process",), ("start",)
    if fields["event.category"] == ("network",):
        acl = _ACL.search(body)
        if acl is not None:
            _add_acl(fields, acl)
        _add_state(fields, body, pairs)
    user = _USER.search(body)
    if user is not None:
        if user[3]:
            put(fields, "source.ip", user[3])
        elif "user.name" not in fields:
            put(fields, "user.name", user[1] or user[2])
    if fields.get("event.action") in ("user-created", "user-deleted") and "user.name" in fields:
        fields["user.target.name"] = fields["user.name"]  # who did it is not said
    nbr = fields.get("canh.nbr.ip")
    if nbr is not None:
        fields.setdefault("destination.ip", nbr)
    elif "source.ip" not in fields:
        add_words(fields, body.partition("(")[0])


def _node(body: str) -> str | None:
    """The first object that was set, as VRP writes it: name and index."""
    node = _NODE.search(body, 0, 1024)
    return None if node is None else node[1]


def _add_session(fields: dict[str, Value], built: re.Match[str]) -> None:
    put(fields, "network.transport", built[1])
    for name, value in zip(
        ("source.ip", "source.port", "observer.ingress.zone", "destination.ip", "destination.port",
         "observer.egress.zone"), built.groups()[1:], strict=True,
    ):  # fmt: skip
        put(fields, name, value)


def _add_result(fields: dict[str, Value], pairs: Mapping[str, str]) -> None:
    for key in _RESULT:
        word = pairs.get(key, "").lower()
        if word.startswith("failtype"):
            fields["event.outcome"], fields["event.reason"] = "failure", pairs[key]
        elif word in _GOOD:
            fields.setdefault("event.outcome", "success")
        elif word in _BAD:
            fields["event.outcome"] = "failure"
            if fields["event.category"] in (("intrusion_detection",), ("malware",)):
                fields["event.type"] = (
                    ("denied",) if fields["event.category"] == ("intrusion_detection",) else ("info",)
                )


def _add_acl(fields: dict[str, Value], acl: re.Match[str]) -> None:
    rule, verdict, interface, smac, dmac, protocol, source, sport, destination, dport = acl.groups()
    is_denied = verdict == "deny"
    fields["rule.name"] = rule
    fields["event.action"] = "connection-denied" if is_denied else "connection-allowed"
    fields["event.outcome"] = "failure" if is_denied else "success"
    fields["event.type"] = ("connection", "denied" if is_denied else "allowed")
    for name, value in (("observer.ingress.interface.name", interface), ("source.mac", smac), ("destination.mac", dmac),
                        ("network.transport", protocol), ("source.ip", source), ("source.port", sport),
                        ("destination.ip", destination), ("destination.port", dport)):  # fmt: skip
        put(fields, name, value)


def _add_state(fields: dict[str, Value], body: str, pairs: Mapping[str, str]) -> None:
    peer = _PEER.search(body)
    if peer is not None:
        put(fields, "canh.nbr.ip", peer[1])
        before, after = peer[2].lower(), peer[3].lower()
    else:
        before = _last(pairs, "previousstate").lower()
        after = _last(pairs, "currentstate").lower()
    if before in _UP or after in _UP:
        fields["event.action"] = "routing-neighbor-up" if after in _UP else "routing-neighbor-down"
        return
    _add_place(fields, body)
    if fields.get("event.type") != ("info", "change"):
        return
    interface = _INTERFACE.search(body)
    if interface is not None:
        fields["observer.ingress.interface.name"] = interface[1]
    state = interface[2] if interface is not None else found[1] if (found := _STATE.search(body)) else ""
    if state:
        fields.setdefault("event.action", "interface-up" if state.lower() == "up" else "interface-down")


def _add_place(fields: dict[str, Value], body: str) -> None:
    """What the sentences of VRRP, MAC flapping and BPDU protection name."""
    for pattern, names in (
        (_ROLE, ("canh.red.before", "canh.red.new")),
        (_MOVED, ("canh.interface.before", "observer.ingress.interface.name")),
        (_EDGE, ("observer.ingress.interface.name",)),
    ):
        found = pattern.search(body, 0, 1024)
        if found is not None and (pattern is not _ROLE or fields.get("network.protocol") == "vrrp"):
            for name, value in zip(names, found.groups(), strict=True):
                put(fields, name, value)


_UP = frozenset(("full", "established", "8", "up"))


def _last(pairs: Mapping[str, str], ending: str) -> str:
    return next((value for key, value in pairs.items() if key.endswith(ending)), "")
