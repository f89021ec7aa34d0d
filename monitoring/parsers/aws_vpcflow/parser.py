"""VPC flow records: of the default format by place, of custom ones by the look of each word, of JSON by key."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, ip_text

_DEFAULT = (
    "version", "account_id", "interface_id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "bytes",
    "start", "end", "action", "log_status",
)  # fmt: skip
_MORE = ("vpc_id", "subnet_id", "instance_id", "tcp_flags", "type", "pkt_srcaddr", "pkt_dstaddr", "region", "az_id")
_NAMED = {
    "account_id": re.compile(r"\d{12}"),
    "interface_id": re.compile(r"eni-[0-9a-f]{4,20}"),
    "vpc_id": re.compile(r"vpc-\w{1,32}"),
    "subnet_id": re.compile(r"subnet-\w{1,32}"),
    "instance_id": re.compile(r"i-[0-9a-f]{6,20}"),
    "action": re.compile(r"ACCEPT|REJECT"),
    "log_status": re.compile(r"OK|NODATA|SKIPDATA"),
    "type": re.compile(r"IPv[46]|EFA"),
    "region": re.compile(r"[a-z]{2}(?:-[a-z]{1,10}){1,2}-\d"),
    "az_id": re.compile(r"[a-z]{2,6}\d-az\d"),
    "flow_direction": re.compile(r"ingress|egress"),
}
_ADDRESSES = ("srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr")
_MOMENT = re.compile(r"1\d{9}")
_PROTOCOLS = frozenset(("1", "6", "17", "41", "47", "50", "51", "58", "89", "132"))
_JSON_KEY = re.compile(r"(?<=[a-z])(?=[A-Z])|[-.]")


def read(line: Line) -> Pairs | None:
    """The record's values by their names; None when it is none."""
    if line.document is not None:
        return {_JSON_KEY.sub("_", key).lower(): value for key, value in line.document.items()}
    words = line.text[:2048].split()
    if len(words) < 8:
        return None
    is_default = len(words) >= len(_DEFAULT) and _NAMED["log_status"].fullmatch(words[13]) is not None
    if is_default and _NAMED["interface_id"].fullmatch(words[2]) is not None:
        return dict(zip(_DEFAULT, words, strict=False)) | dict(zip(_MORE, words[14:], strict=False))
    return _of_look(words)


def _of_look(words: list[str]) -> Pairs:
    found: Pairs = {}
    addresses = iter(_ADDRESSES)
    moments = iter(("start", "end"))
    last_address = -1
    for at, word in enumerate(words):
        if ip_text(word) is not None:
            name = next(addresses, None)
            if name is not None:
                found[name] = word
                last_address = at if name == "dstaddr" else last_address
        elif _MOMENT.fullmatch(word) is not None:
            found.setdefault(next(moments, "end"), word)
        else:
            name = next((n for n, look in _NAMED.items() if n not in found and look.fullmatch(word)), None)
            if name is not None:
                found[name] = word
    if last_address >= 0:
        _add_numbers(found, words, last_address + 1)
    return found


def _add_numbers(found: Pairs, words: list[str], at: int) -> None:
    """The two ports behind the addresses, and the protocol behind these or the packet's own addresses."""
    ports = words[at : at + 2]
    if len(ports) == 2 and all(port.isdecimal() and len(port) < 6 for port in ports):
        found["srcport"], found["dstport"] = ports
        after = at + 2
    else:
        after = at
    while after < len(words) and ip_text(words[after]) is not None:
        after += 1
    if after < len(words) and words[after] in _PROTOCOLS:
        found["protocol"] = words[after]


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The record, without an action where nothing was seen."""
    if "source.ip" not in fields and "destination.ip" not in fields:
        fields["event.type"] = ("info",)
    return fields
