"""The head of a message of Connect Secure in both its formats, and messages that no rule knows."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, pairs_of, put
from monitoring.parsers._network import add_sentence

_HEAD = re.compile(
    r"(?:.{0,64}?(?:Juniper|Pulse|Ivanti)\w{0,24}: )?"
    r"(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) - (?P<node>[^\[]{1,64}?) - "
    r"\[(?P<src>[^\]]{0,64})\] (?P<user>.{0,128}?)"
    r"\((?P<realm>[^)]{0,128})\)\[(?P<roles>[^\]]{0,512})\] - (?P<text>.*)\Z",
    re.DOTALL,
)
_CODE = re.compile(r"([A-Z]{3}\d{5}): ?")
_SYSTEM = frozenset(("System", "System()", ""))


def read(line: Line) -> Pairs | None:
    """The pairs; None when the message is not of Connect Secure."""
    text = line.text
    head = _HEAD.match(text)
    if line.document is not None:
        found: Pairs = {key: str(value) for key, value in line.document.items() if value not in ("", None, [])}
        found["text"], found["code"] = str(found.pop("raw_message", "")), str(found.get("message_id", ""))
    elif head is not None:
        found = {key: value for key, value in head.groupdict().items() if value}
        found["user"] = str(found.get("user", "")).rpartition("::")[2]  # `Root::anna`: the virtual system before
    else:
        found = pairs_of(text)
        if "vpn" not in found and found.get("type") != "vpn":
            return None
        found["text"] = str(found.pop("msg", ""))
    code = _CODE.match(str(found.get("text", "")))
    if code is not None:
        found["code"], found["text"] = code[1], str(found["text"])[code.end() :]
    if found.get("user") in _SYSTEM:
        found["nobody"] = found.pop("user", "")
    if found.get("src") == "127.0.0.1":
        found["self"] = found.pop("src")
    return found


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """Finish the fields: the user of a login, roles as a list, what no rule knows."""
    who = str(fields.pop("canh.vpn.who", ""))
    if who and "user.name" not in fields:
        put(fields, "user.name", who.partition("/")[0])
    if "user.roles" in fields:
        fields["user.roles"] = tuple(str(fields["user.roles"]).split(", "))
    if "event.category" not in fields:
        add_sentence(fields, str(pairs.get("text", "")))
    category = fields.get("event.category")
    if pairs.get("nobody") and not (isinstance(category, tuple) and "authentication" in category):  # the device itself
        fields["user.name"] = str(pairs["nobody"]).removesuffix("()")
    if "source.ip" not in fields and "self" in pairs:
        fields["source.ip"] = str(pairs["self"])
    if "user.name" in fields:
        fields.setdefault("source.user.name", fields["user.name"])
    return fields
