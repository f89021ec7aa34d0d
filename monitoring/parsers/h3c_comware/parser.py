"""H3C and HPE Comware: `-Key=value` lists, SecPath's `Name(id)=value;` and sentences; what happened by mnemonic."""

from __future__ import annotations

import re
from pathlib import Path

from monitoring.event import Value
from monitoring.parsers import Line, put
from monitoring.parsers._catalogue import catalogue_of, plain
from monitoring.parsers.generic_text.parser import add_words

_HEAD = re.compile(
    r"(?:%% ?10 ?|%(?P<time>[A-Z][a-z]{2} {1,2}\d{1,2} [\d:]{8}:\d{3} \d{4}) (?P<host>\S{1,64}) )"
    r"(?P<module>[A-Za-z][\w-]{0,31})/(?P<severity>\d)/(?P<brief>[\w-]{2,64})(?:\((?P<flag>\w)\))?(?:\[\d+\])?: ?"
)
_NAT = re.compile(
    r"(?P<host>[\w.-]{1,64}) - NAT444: ?(?P<event>\w{4,16}) ?\[(?P<transport>\d{1,3}|-) (?P<ip>[\d.]{7,15}) - "
    r"(?P<outside>[\d.]{7,15})(?: - (?P<first>\d{1,5}))?"
)
_NAT_FIELDS = {
    "host": "observer.name", "transport": "network.transport", "ip": "source.ip", "outside": "source.nat.ip",
    "first": "source.nat.port",
}  # fmt: skip
_LIST = re.compile(r"(?:[ -]{1,3}[A-Za-z]\w{0,24}(?:=|-(?=\S+-))[^;=]{0,256}?(?=-[A-Za-z]\w{0,24}=|;|\Z)){1,24};?")
_LISTED = re.compile(r"-([A-Za-z]\w{0,24})=([^;]{0,256}?)(?=-[A-Za-z]\w{0,24}=|;|\Z)")
_NUMBERED = re.compile(r"([A-Za-z][\w ]{0,40})\((\d{4})\)=([^;]{0,1024})(?:;|\Z)")
_COMMAND = re.compile(r"Command is (.{1,2048})\Z|; Command (.{1,2048}?) (?:is permission denied|in view)", re.DOTALL)
_STATE = re.compile(
    r"(?:interface|port) (\S{1,64}) (?:changed|is|has|link).{0,24}?\b(up|down)\b|^ ?(\S{1,64}) link status is (\w+)",
    re.IGNORECASE,
)
_NEIGHBOUR = re.compile(
    r"Neighbor ([\dA-Fa-f.:]{2,45})\((\S{1,64})\).{0,64}? from (\S{1,16}) to (\S{1,16}?)\.?(?:\s|\Z)|"
    r"([\dA-Fa-f.:]{2,45}) .{0,24}?from (\w{1,16}) to (\w{1,16})"
)
_SSH = re.compile(
    r"(?:[Uu]ser|for) (?:user )?([^\s;]{1,128})"
    r"(?: \(IP: ([^)]{2,45})\)| (?:at|from) ([\dA-Fa-f.:]{2,45}[\dA-Fa-f]))?(?: port (\d{1,5}))?"
)
_SHELL = re.compile(r"\A(\S{1,128}) (?:logged (?:in|out)|failed to log in|was added)(?: from (\S{1,45}?))?(?:[. ]|\Z)")
_ATTACK = re.compile(
    r"on interface (\S{1,64}?): IP ([\dA-Fa-f.:]{2,45}), MAC(?: address)? ([\dA-Fa-f-]{12,17}), VLAN (\d{1,4})"
    r"(?:\. (\d{1,9}) packet)?"
)
_ROLE = re.compile(r"\(configured on (\S{1,64}?)\) .{0,64}?changed from (\w{4,12}) to (\w{4,12})")
_GUARDED = re.compile(
    r"(?:BPDU|ROOT|LOOP)-Protection port (\S{1,64}) (?:received|failed)|"
    r"[Ll]oop(?:back)? (?:exists )?on (\S{1,64}?)(?:\.|,| |\Z)"
)
_FLOODER = re.compile(r"attack from MAC ([\dA-Fa-f-]{12,17}) was detected on interface (\S{1,64}?)\.?(?: |\Z)")
_MOVED = re.compile(r"MAC address (\S{12,17}) in VLAN (\d{1,4}) has moved from port (\S{1,64}) to port (\S{1,64})")
_CONSOLE = re.compile(r" from ((?:console|aux|tty)\d{0,3})\b", re.IGNORECASE)
_PUT = re.compile(r"requested operation: ?(?:Put|Upload|Delete|Rename|Mkdir)", re.IGNORECASE)
_NODE = re.compile(r"-node=([\w.-]{1,200})\(([\d.]{3,256})\)")
_LOOKING = re.compile(r"\s{0,4}(?:dis|display|quit|return|screen-|ping|tracert|system-view|terminal)", re.IGNORECASE)
_UP = frozenset(("full", "established", "up"))
_NOBODY = frozenset(("**", "-", "N/A", "unknown"))
_EVENTS = {"8": ("start",), "1": ("end",), "2": ("end",), "3": ("end",), "6": ("info",)}
_CATALOGUE = catalogue_of(Path(__file__).parent)


def parse(line: Line) -> dict[str, Value] | None:
    """The event of a message; None when it has no module and mnemonic."""
    head = _HEAD.search(line.text, 0, 256)
    if head is None:
        return _translation(line.text)
    body = line.text[head.end() :]
    fields: dict[str, Value] = dict(_CATALOGUE.meaning(f"{head['module']}/{head['brief']}"))
    fields["event.code"] = f"{head['module']}/{head['severity']}/{head['brief']}"
    fields["log.syslog.severity.code"] = int(head["severity"])
    if head["time"]:
        fields["@timestamp"], fields["observer.name"] = head["time"], head["host"]
    pairs = _pairs(body)
    fields["observer.type"] = "firewall" if "k1003" in pairs else "switch"
    _CATALOGUE.add_keys(fields, pairs)
    if "k1053" in pairs or "k1048" in pairs:
        _add_verdict(fields, pairs)
    listed = _LIST.match(body)
    _add_sentence(fields, body if listed is None else body[listed.end() :].strip(), body)
    return fields


def _translation(text: str) -> dict[str, Value] | None:
    """NAT444 in the formats of two carriers: the protocol, who it is, what of the outside they have."""
    found = _NAT.search(text, 0, 512)
    if found is None:
        return None
    fields: dict[str, Value] = {
        "event.category": ("network",), "event.type": ("connection", "allowed"), "event.outcome": "success",
        "event.action": "nat-translation", "event.code": "NAT444:" + found["event"], "observer.type": "firewall",
    }  # fmt: skip
    for group, name in _NAT_FIELDS.items():
        put(fields, name, found[group])
    put(fields, "host.name", found["host"])
    return fields


def _pairs(body: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, number, value in _NUMBERED.findall(body):
        if value.strip() and value not in _NOBODY:
            found.setdefault("k" + number, value.strip().rstrip("."))
            found.setdefault(plain(key), value.strip().rstrip("."))
    if not found:
        for key, value in _LISTED.findall(body[:2048]):
            if value.strip() and value not in _NOBODY:
                found.setdefault(plain(key), value.strip())
    return found


def _add_verdict(fields: dict[str, Value], pairs: dict[str, str]) -> None:
    """What SecPath did: Action of an attack, Event of a filter or session."""
    word = (pairs.get("k1053") or pairs.get("k1048", "")).lower()
    number = re.match(r"\((\d)\)", word)
    is_denied = re.search(r"den(?:y|ied)|drop|block|reset|refuse", word) is not None
    if fields["event.category"] == ("network",):
        if number is not None and number[1] in _EVENTS:
            fields["event.type"] = ("connection", *_EVENTS[number[1]])
        elif is_denied or "permit" in word:
            fields["event.type"] = ("connection", "denied" if is_denied else "allowed")
            fields["event.action"] = "connection-denied" if is_denied else "connection-allowed"
            fields["event.outcome"] = "failure" if is_denied else "success"
    elif is_denied:
        fields["event.outcome"] = "failure"
        if fields["event.category"] == ("intrusion_detection",):
            fields["event.type"] = ("denied",)


def _add_sentence(fields: dict[str, Value], text: str, body: str) -> None:
    """What only the words say."""
    category = fields["event.category"]
    command = _COMMAND.search(body)
    if command is not None:
        fields["process.command_line"] = (command[1] or command[2]).strip()
        if _LOOKING.match(str(fields["process.command_line"])):
            fields["event.action"] = "show-command"
            fields["event.category"], fields["event.type"] = ("process",), ("start",)
    elif category == ("network",):
        _add_state(fields, text)
    elif (flooder := _FLOODER.search(text)) is not None:
        put(fields, "source.mac", flooder[1])
        fields["observer.ingress.interface.name"] = flooder[2]
    who = _SHELL.match(text)
    if who is not None:
        if who[1] not in ("VTY", "Console", "TTY"):
            put(fields, "user.name", who[1])
        put(fields, "source.ip", who[2])
        fields.pop("source.domain", None)  # a line: vty0, console0
    elif category != ("network",) or "SSH" in text:
        ssh = _SSH.search(text)
        if ssh is not None and "user.name" not in fields and ssh[1] not in ("failed", "was"):
            put(fields, "user.name", ssh[1])
            put(fields, "source.ip", ssh[2] or ssh[3])
            put(fields, "source.port", ssh[4])
    if fields.get("event.action") == "config-exported" and _PUT.search(text):
        del fields["event.action"]  # a file that came, none that left
    console = _CONSOLE.search(text) if fields.get("event.action") == "login" else None
    if console is not None:
        fields["canh.line"] = console[1].lower()
    node = _NODE.search(body, 0, 1024) if fields.get("event.action") == "snmp-set" else None
    if node is not None:
        put(fields, "canh.snmp.object", node[1])
        put(fields, "canh.snmp.oid", node[2])
    if "source.ip" not in fields and "canh.nbr.ip" not in fields and "=" not in text:
        add_words(fields, text)


def _add_state(fields: dict[str, Value], text: str) -> None:
    if fields.get("network.protocol") == "vrrp":
        role = _ROLE.search(text)
        if role is not None:
            fields["observer.ingress.interface.name"] = role[1]
            fields["canh.red.before"], fields["canh.red.new"] = role[2], role[3]
        return
    neighbour = _NEIGHBOUR.search(text)
    if neighbour is not None:
        put(fields, "canh.nbr.ip", neighbour[1] or neighbour[5])
        put(fields, "destination.ip", neighbour[1] or neighbour[5])
        put(fields, "observer.ingress.interface.name", neighbour[2])
        before, after = (neighbour[3] or neighbour[6]).lower(), (neighbour[4] or neighbour[7]).lower()
        if before in _UP or after in _UP:
            fields["event.action"] = "routing-neighbor-up" if after in _UP else "routing-neighbor-down"
        return
    for pattern, names in (
        (
            _ATTACK,
            ("observer.ingress.interface.name", "source.ip", "source.mac", "network.vlan.id", "canh.arp.count"),
        ),
        (_MOVED, ("source.mac", "network.vlan.id", "canh.interface.before", "observer.ingress.interface.name")),
    ):
        match = pattern.search(text)
        if match is not None:
            for name, value in zip(names, match.groups(), strict=True):
                put(fields, name, value)
    if (guarded := _GUARDED.search(text)) is not None:
        fields["observer.ingress.interface.name"] = guarded[1] or guarded[2].rstrip(".")
    state = _STATE.search(text)
    if state is not None and fields.get("event.type") == ("info", "change"):
        fields["observer.ingress.interface.name"] = state[1] or state[3]
        is_up = (state[2] or state[4]).lower() == "up"
        fields.setdefault("event.action", "interface-up" if is_up else "interface-down")
