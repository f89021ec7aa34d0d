"""ESET PROTECT: the one who logs in is the target where nobody is named; what was found may be a URL."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, put
from monitoring.parsers._endpoint import add_names

_NAMED = re.compile(r"\buser '([^']{1,128})'")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with its user, its URL and the names that its paths end in."""
    if fields.get("event.action") == "login" and "user.name" not in fields:
        put(fields, "user.name", fields.get("user.target.name"))
    if fields.get("event.action") == "login" and "user.name" not in fields:
        named = _NAMED.search(str(pairs.get("detail", ""))[:512])
        put(fields, "user.name", None if named is None else named[1])
    place = str(fields.get("file.path", ""))
    if place.startswith(("http://", "https://")):
        put(fields, "url.full", place)
        del fields["file.path"]
    elif place.startswith("file:///"):
        fields["file.path"] = place.removeprefix("file:///")
    add_names(fields)
    return fields
