"""Nextcloud: who failed to log in stands in the sentence."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, put
from monitoring.parsers.generic_text.parser import add_words

_WHO = re.compile(r"(?:Login failed|Login attempt|Login successful): \"?'?([^\"'\s(]{1,255})\"?'?")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with its user."""
    message = str(pairs.get("message", ""))
    who = _WHO.search(message)
    if who is not None:
        put(fields, "user.name", who[1])
    add_words(fields, message)
    return fields
