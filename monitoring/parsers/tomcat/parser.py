"""Tomcat: `time LEVEL [thread] class.method message`, and access lines."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, put
from monitoring.parsers._access import access_of
from monitoring.parsers.generic_text.parser import add_words

_LINE = re.compile(r"(\d\d-[A-Z][a-z]{2}-\d{4} [\d:.]{12}) ([A-Z]{4,7}) \[([^\]]{0,255})\] (\S{1,512}) (.*)", re.DOTALL)


def parse(line: Line) -> dict[str, Value] | None:
    """The request, or what the server says."""
    access = access_of(line.text)
    if access is not None:
        return {"event.dataset": "tomcat.access"} | access
    fields: dict[str, Value] = {"event.dataset": "tomcat.log", "event.category": ("web",), "event.type": ("info",)}
    match = _LINE.match(line.text)
    if match is not None:
        fields["@timestamp"], level, thread, logger, message = match.groups()
        fields["log.level"], fields["log.logger"], fields["message"] = level.lower(), logger, message
        put(fields, "process.thread.name", thread)
        if level == "SEVERE":
            fields["event.type"] = ("error",)
        add_words(fields, message)
        if "user.name" in fields and "authenticat" in message:
            fields |= {"event.action": "login", "event.category": ("authentication", "web"),
                       "event.type": ("start", "info"), "event.outcome": "failure"}  # fmt: skip
    return fields
