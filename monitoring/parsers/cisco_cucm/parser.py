"""The name of an alarm and its keys in brackets."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs
from monitoring.parsers._network import add_sentence

_MARK = re.compile(r"%([A-Za-z_]\w{1,40})-(?:\w{1,32}-){0,2}(\d)-([A-Za-z][\w-]{0,64}) ?: ?")
_PAIR = re.compile(r"\[ ?([A-Za-z][\w ]{0,40}?) ?= ?([^\[\]]{0,512})\]")


def read(line: Line) -> Pairs | None:
    """The pairs; None when the message is no alarm."""
    mark = _MARK.search(line.text)
    if mark is None:
        return None
    found: Pairs = {"facility": mark[1], "severity": mark[2], "code": mark[3]}
    last = mark.end()
    for pair in _PAIR.finditer(line.text, mark.end()):
        found.setdefault(pair[1].replace(" ", ""), pair[2].strip())
        last = pair.end()
    found["is_bare"] = str(last == mark.end())
    text = line.text[last:].lstrip("]: ")
    if text:
        found["text"] = text
    return found


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """Finish the fields: an alarm without keys is a sentence."""
    if pairs["is_bare"] == "True":
        add_sentence(fields, str(pairs.get("text", "")))
    return fields
