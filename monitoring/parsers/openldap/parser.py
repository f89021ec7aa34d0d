"""slapd: the user is the first part of the name he binds with."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, put

_SECONDS = re.compile(r"([4-9a-f][0-9a-f]{7})(?:\.([0-9a-f]{8}))? (?:0x[0-9a-f]{4,16} )?conn=")
_USER = re.compile(r"(?:uid|cn|mail|sAMAccountName)=([^,]{1,255})", re.IGNORECASE)


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with its user."""
    name = fields.get("canh.ldap.dn")
    if isinstance(name, str) and "BIND" in line.text:
        user = _USER.match(name)
        put(fields, "user.name", user[1] if user else name)
    seconds = _SECONDS.match(line.text)
    if seconds is not None and "@timestamp" not in fields:  # slapd -d: seconds, then nanoseconds, as hex digits
        fields["@timestamp"] = f"{int(seconds[1], 16)}.{int(seconds[2] or '0', 16) // 1000:06d}"
    return fields
