"""What the rules leave: messages that no rule knows, read as sentences."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs
from monitoring.parsers._network import add_sentence

_MARK = re.compile(
    r".{0,256}?[%#][\w-]{1,80}-[0-7]-\w{1,64} ?: ?(?:\[\w{1,4}\] ?)?(?:[\w/]{1,64}\.c:\d{1,6} ?)?", re.DOTALL
)
_AUTHENTICATION = frozenset(("AAA", "DOT1X", "PEM", "WEBAUTH", "LRADIUS", "RBAC", "EMWEB"))


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """Finish the fields that the rules found."""
    if "event.category" not in fields:
        start = _MARK.match(line.text)
        add_sentence(fields, line.text if start is None else line.text[start.end() :])
        if fields["event.category"] == ("host",):
            is_login = fields.get("canh.cisco.facility") in _AUTHENTICATION
            fields["event.category"] = ("authentication",) if is_login else ("network",)
    return fields
