"""Forcepoint's web gateway: a user that is written as its place in a directory has spaces in it."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, put

_DIRECTORY = re.compile(r"\buser=[A-Za-z]{2,8}://(?P<place>.{1,512}?) src_host=")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    if "://" in str(fields.get("user.name", "")):
        place = _DIRECTORY.search(line.text[:4096])
        name = "" if place is None else place["place"].rpartition("/")[2].replace("\\,", ",")
        for field in ("user.name", "source.user.name"):
            del fields[field]
            put(fields, field, name)
    return fields
