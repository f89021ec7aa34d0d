"""BeyondTrust's appliances: pairs between semicolons behind the message's number and its part."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, put

_HEAD = re.compile(r"(?:BG: )?(?:\d{1,8}:\d{1,4}:\d{1,4}:)?(?=\w{1,48}=)")
_WHO = re.compile(r"(?P<full>[^(;]{0,128}?) ?\((?P<name>[^()]{1,128})\)(?: using (?P<method>[\w ]{1,48}))?")


def read(line: Line) -> Pairs | None:
    head = _HEAD.match(line.text)
    if head is None or "=" not in line.text:
        return None
    pairs: Pairs = {}
    for part in re.split(r"(?<!\\);", line.text[head.end() :]):
        key, equals, value = part.partition("=")
        if equals and re.fullmatch(r"\s?[\w:.-]{1,64}", key):
            pairs.setdefault(key.strip(), value.strip().replace("\\;", ";").replace("\\=", "="))
    return pairs if "event" in pairs or "when" in pairs or len(pairs) > 1 else None


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed:
    """Who it was: `Lan Nguyen (lan) using password`."""
    who = str(pairs.get("who", ""))
    told = _WHO.fullmatch(who)
    if told is not None:
        put(fields, "user.name", told["name"])
        put(fields, "user.full_name", told["full"] if told["full"] != "unknown" else "")
        put(fields, "canh.auth.method", told["method"])
    elif who:
        put(fields, "user.name", who)
    if fields.get("event.outcome") == "unknown":
        del fields["event.outcome"]
    return fields
