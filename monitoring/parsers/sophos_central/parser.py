"""Sophos Central: a user comes with his domain behind him, `Lan (DOMAIN\\lan)`."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, put
from monitoring.parsers._endpoint import add_names

_ACCOUNT = re.compile(r".{0,128}\(([^()\\]{1,64}\\[^()\\]{1,128})\)\Z")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with the account and the names that its paths end in."""
    account = _ACCOUNT.match(str(fields.get("user.name", "")))
    if account is not None:
        put(fields, "user.name", account[1])
    add_names(fields)
    return fields
