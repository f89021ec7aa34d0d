"""lighttpd: `client host user [time] ...` and `time: (file.c.line) text`."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, put
from monitoring.parsers._access import access_of
from monitoring.parsers.generic_text.parser import add_words

_ERROR = re.compile(
    r"(?:(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d): )?\((?:\.\./)?(?:src/)?([\w.-]{1,64}\.c\.\d{1,6})\) (.*)", re.DOTALL
)


def parse(line: Line) -> dict[str, Value] | None:
    """The request, or what the server says of itself."""
    access = access_of(line.text)
    if access is not None:
        return {"event.dataset": "lighttpd.access"} | access
    fields: dict[str, Value] = {
        "event.dataset": "lighttpd.error",
        "event.category": ("web",),
        "event.type": ("info",),
    }
    error = _ERROR.match(line.text)
    if error is not None:
        put(fields, "@timestamp", error[1])
        fields["log.origin.file.name"] = error[2]
        fields["message"] = error[3]
        add_words(fields, error[3])
        if any(word in error[3] for word in ("password", "auth failed", "invalid token")):
            fields |= {
                "event.action": "login",
                "event.category": ("web", "authentication"),
                "event.type": ("info", "start"),
                "event.outcome": "failure",
            }
    return fields
