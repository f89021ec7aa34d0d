"""ClearPass: pairs between commas, of which a value may have some of its own."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, cef_of, leef_of
from monitoring.parsers._network import add_sentence

_HEAD = re.compile(r"(?P<filter>[\w .()-]{0,80}?)\s?\d{1,10} \d{1,4} \d{1,4} (?=[A-Za-z][\w.:-]{1,64}=)")
_KEY = re.compile(r"(?:\A|,\s{0,3})([A-Za-z][\w.:-]{1,64})=")
_BROKEN = re.compile(r"(?<=[-.])\s{1,4}(?=[A-Z][\w-]{0,32}=)")  # some releases break long keys


def read(line: Line) -> Pairs | None:
    text = line.text
    found = cef_of(text) if "CEF:" in text else leef_of(text) if "LEEF:" in text else None
    if found is not None:
        return found if "ClearPass" in text[:512] else None
    head = _HEAD.match(text)
    if head is None and "Common." not in text:
        return None
    body = text if head is None else text[head.end() :]
    body = _BROKEN.sub("", body)
    keys = list(_KEY.finditer(body))
    pairs: Pairs = {}
    for at, key in enumerate(keys):
        end = keys[at + 1].start() if at + 1 < len(keys) else len(body)
        pairs.setdefault(key[1], body[key.end() : end].strip().rstrip(","))
    return pairs


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed:
    """What system events only tell in their sentence: a switch's address, an administrator."""
    if "user.name" not in fields or "source.ip" not in fields:
        told = str(pairs.get("description") or pairs.get("Description") or "")
        if told:
            add_sentence(fields, told.replace("IP=", "IP "))
    return fields
