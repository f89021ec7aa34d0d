"""The head of a message of ISE and its pairs."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, put

_HEAD = re.compile(
    r"(?:.{0,128}?\b)?(?:CISE_|CSCOacs_)(\w{1,64})(?:\[\d{0,8}\])?:? +(\d{1,12}) (\d{1,4}) (\d{1,4}),? *"
    r"(?:(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:[.,]\d{1,9})? ?(?:[+-]\d\d:?\d\d)?) "
    r"(?:(\d{1,12}) )?(\d{3,6}) +(\w+) +([^:,]{1,64}): ?)?"
)
_UNKNOWN_CLIENT = frozenset(("11007", "13017"))  # RADIUS, TACACS+: could not locate the network device
_WRONG_SECRET = frozenset(("11036", "11037", "13011"))  # Message-Authenticator invalid, dropped; TACACS+ packet invalid
_TYPED = re.compile(r"Cmd(?:Arg)?AV=(\S{1,512})")  # [ CmdAV=no CmdArgAV=logging CmdArgAV=<cr> ]
_ESCAPED = re.compile(r"\\([,=\\{}; ])")
_PAIR = re.compile(r"(?:\A|, ?)([A-Za-z][\w.\-/ ]{0,64}?)=((?:[^,\\]|\\.)*)", re.DOTALL)
_IN_RESPONSE = re.compile(r"User-?Name=([^;}]{1,128})")
_AV_PAIRS = {"mdm-tlv=device-mac": "source.mac", "ip:source-ip": "source.ip", "dot1x-username": "user.name"}


def read(line: Line) -> Pairs | None:
    """The head as pairs of its own and the pairs after it; None when this is no message of ISE."""
    text = line.text
    if line.app_name.startswith(("CISE_", "CSCOacs_")):
        text = f"{line.app_name} {text}"  # the header took the category for a program
    head = _HEAD.match(text)
    if head is None:
        return None
    category, number, _, part, when, sequence, code, level, kind = head.groups()
    rest = text[head.end() :]
    found: Pairs = {"category": category, "number": number, "part": part, "when": when, "code": code, "level": level,
                    "class": kind, "sequence": sequence}  # fmt: skip
    found = {key: value for key, value in found.items() if value}
    if code:
        sentence, _, after = rest.partition(", ")
        if "=" not in sentence:
            found["text"], rest = sentence, after
    for key, value in _PAIR.findall(rest):
        value = _ESCAPED.sub(r"\1", value).strip() if "\\" in value else value.strip()
        if key == "cisco-av-pair":
            name, _, content = value.rpartition("=")
            found.setdefault(f"cisco-av-pair.{name}", content)
        elif value:
            found.setdefault(key.strip(), value)
    return found


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """Finish the fields: the end that asked, when its own address is not known; addresses given as stations."""
    if "user.name" not in fields and (said := _IN_RESPONSE.search(str(pairs.get("Response", "")))):
        put(fields, "user.name", said[1])
    for name, field in _AV_PAIRS.items():
        if field not in fields:
            put(fields, field, pairs.get(f"cisco-av-pair.{name}"))
    station = str(pairs.get("Calling-Station-ID", ""))
    if station and "source.mac" not in fields and "source.ip" not in fields:
        put(fields, "source.ip", station)  # of a VPN user the address
    if "source.ip" not in fields:
        put(fields, "source.ip", pairs.get("NAS-IP-Address") or pairs.get("Device IP Address"))
    if typed := _TYPED.findall(str(fields.get("process.command_line", ""))):
        fields["process.command_line"] = " ".join(word for word in typed if word != "<cr>")
    reason = str(fields.get("event.reason", ""))[:5]
    if reason in _UNKNOWN_CLIENT:
        fields["event.action"], fields["canh.auth.reason"] = "aaa-request", "unknown-client"
    elif reason in _WRONG_SECRET:
        fields["event.action"], fields["canh.auth.reason"] = "aaa-secret-mismatch", "bad-authenticator"
    if line.app_name.startswith(("CISE_", "CSCOacs_")):
        fields["process.name"] = line.app_name
    return fields
