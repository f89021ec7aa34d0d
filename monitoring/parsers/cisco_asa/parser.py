"""What the rules leave: names of the relatives, durations, users of both kinds, and messages that no rule knows."""

from __future__ import annotations

import re
from collections.abc import Mapping

from monitoring.event import Value
from monitoring.parsers import Line, Pairs
from monitoring.parsers._network import add_sentence

_PRODUCT = re.compile(r"%(PIX|FWSM|FTD)-")
_PRODUCTS = {"PIX": "PIX", "FWSM": "FWSM", "FTD": "FTD"}
_TEXT = re.compile(r".{0,256}?%(?:ASA|PIX|FWSM|FTD)-{1,2}(?:[A-Za-z]\w{0,31}-){0,2}\d-\d{1,9}:? ?", re.DOTALL)
_REFUSED = re.compile(r"(?:Dropp|Den[yi]|Discard|Reject)")
# What a message without a rule is about, by the longest beginning of its id.
_KINDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "1": (("host",), ("info",)),
    "10": (("host",), ("change",)),
    "106": (("network",), ("connection", "denied")),
    "107": (("network",), ("info",)),
    "109": (("authentication",), ("info",)),
    "108": (("network",), ("info",)),
    "110": (("network",), ("info",)),
    "111": (("configuration",), ("change",)),
    "113": (("authentication",), ("info",)),
    "2": (("host",), ("info",)),
    "20": (("network",), ("connection", "info")),
    "209": (("network",), ("connection", "denied")),
    "3": (("network",), ("info",)),
    "302": (("network",), ("connection", "info")),
    "303": (("network",), ("connection", "info")),
    "304": (("network",), ("info",)),
    "305": (("network",), ("connection", "info")),
    "313": (("network",), ("connection", "denied")),
    "321": (("host",), ("info",)),
    "322": (("network",), ("connection", "denied")),
    "338": (("network", "intrusion_detection"), ("info",)),
    "4": (("network",), ("info",)),
    "400": (("intrusion_detection",), ("info",)),
    "401": (("intrusion_detection",), ("info",)),
    "420": (("intrusion_detection",), ("info",)),
    "429": (("intrusion_detection",), ("info",)),
    "430": (("intrusion_detection",), ("info",)),
    "444": (("host",), ("info",)),
    "5": (("host",), ("info",)),
    "500": (("network",), ("connection", "denied")),
    "502": (("iam",), ("user", "change")),
    "6": (("network",), ("info",)),
    "605": (("authentication",), ("info",)),
    "606": (("session",), ("info",)),
    "611": (("authentication",), ("info",)),
    "7": (("network",), ("info",)),
    "709": (("host",), ("info",)),
    "711": (("host",), ("info",)),
    "713": (("network", "session"), ("info",)),
    "714": (("network", "session"), ("info",)),
    "715": (("network", "session"), ("info",)),
    "716": (("network", "session"), ("info",)),
    "717": (("configuration",), ("info",)),
    "720": (("host",), ("info",)),
    "721": (("host",), ("info",)),
    "722": (("network", "session"), ("info",)),
    "733": (("intrusion_detection",), ("info",)),
    "734": (("network", "session"), ("info",)),
    "735": (("host",), ("info",)),
    "746": (("authentication",), ("info",)),
    "771": (("configuration",), ("change",)),
}
_OTHER = (("network",), ("info",))


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """Finish the fields that the rules found."""
    if "%ASA" not in line.text[:256]:
        product = _PRODUCT.search(line.text[:256])
        if product is not None:
            fields["observer.product"] = _PRODUCTS[product[1]]
    if "event.category" not in fields:
        _add_unknown(fields, line.text)
        return fields
    if "canh.cisco.duration" in fields:
        _add_duration(fields)
    for side in ("source", "destination"):
        translated = fields.get(side + ".nat.ip")
        if translated is not None and translated == fields.get(side + ".ip"):
            del fields[side + ".nat.ip"]
            fields.pop(side + ".nat.port", None)
    if "network.vlan.id" in fields and not str(fields["network.vlan.id"]).isdecimal():
        del fields["network.vlan.id"]
    if "source.user.name" in fields:
        fields.setdefault("user.name", fields["source.user.name"])
    return fields


def _add_unknown(fields: dict[str, Value], text: str) -> None:
    start = _TEXT.match(text)
    sentence = text if start is None else text[start.end() :]
    add_sentence(fields, sentence)
    code = str(fields.get("event.code", ""))
    category, types = next((_KINDS[code[:n]] for n in (3, 2, 1) if code[:n] in _KINDS), _OTHER)
    action = fields.get("event.action")
    if action in ("login", "logout") and category != ("host",):
        return
    if category == ("host",) and "source.ip" in fields and "destination.ip" in fields:
        category, types = _OTHER
    fields["event.category"], fields["event.type"] = category, types
    if category == ("network",) and "destination.ip" in fields and _REFUSED.match(sentence):
        action = fields["event.action"] = "connection-denied"
        fields["event.outcome"] = "failure"
    if category == ("network",) and action in ("connection-denied", "connection-allowed"):
        fields["event.type"] = ("connection", str(action).removeprefix("connection-"))


def _add_duration(fields: dict[str, Value]) -> None:
    """h:mm:ss, with days before, to nanoseconds."""
    written = [fields.pop("canh.cisco." + part, "0") for part in ("days", "duration", "minutes", "seconds")]
    if all(str(part).isdecimal() for part in written):
        days, hours, minutes, seconds = (int(str(part)) for part in written)
        fields["event.duration"] = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1_000_000_000
