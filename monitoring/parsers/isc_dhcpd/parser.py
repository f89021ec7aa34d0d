"""ISC dhcpd: the kind of message is its code, where a rule names none."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs

_CODE = re.compile(r"(DHCP[A-Z]{3,16})\b")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with its code."""
    if "event.code" not in fields:
        code = _CODE.match(line.text)
        if code is not None:
            fields["event.code"] = code[1]
    return fields
