"""slapd: the user is the first part of the name he binds with."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, put

_USER = re.compile(r"(?:uid|cn|mail|sAMAccountName)=([^,]{1,255})", re.IGNORECASE)


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with its user."""
    name = fields.get("canh.ldap.dn")
    if isinstance(name, str) and "BIND" in line.text:
        user = _USER.match(name)
        put(fields, "user.name", user[1] if user else name)
    return fields
