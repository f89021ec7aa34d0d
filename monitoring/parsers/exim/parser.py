"""Exim: the two ends of the connection, whatever sentence they stand in, where the rules end."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, put

_SOURCE = re.compile(
    r"(?:from |for |H=)(?:([\w.-]{1,255}) )?(?:\(([^()\s]{0,255})\) )?\[([0-9A-Fa-f.:]{2,45})\](?::(\d{1,5}))?"
    r"(?= |:|\Z)"
)
_OWN = re.compile(r" I=\[([0-9A-Fa-f.:]{2,45})\](?::(\d{1,5}))?")
_SENDER = re.compile(r" F=<?([^\s<>]{1,320})>? ")
_RECIPIENT = re.compile(r"rejected (?:RCPT|after DATA|MAIL) <?([^\s<>:]{1,320})>?: (.*)", re.DOTALL)


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> dict[str, Value]:
    """The event with its ends; a recipient that was refused."""
    text = line.text[:4096]
    source, own = _SOURCE.search(text), _OWN.search(text)
    if source is not None and fields.get("event.action") != "mail-sent" and "destination.domain" not in fields:
        for name, value in zip(
            ("source.domain", "canh.mail.helo", "source.ip", "source.port"), source.groups(), strict=True
        ):
            put(fields, name, value)
    if own is not None:
        put(fields, "destination.ip", own[1])
        put(fields, "destination.port", own[2])
    recipient, sender = _RECIPIENT.search(text), _SENDER.search(text)
    if sender is not None:
        put(fields, "email.from.address", sender[1])
    if recipient is not None:
        put(fields, "email.to.address", recipient[1])
        fields |= {"event.action": "mail-rejected", "event.outcome": "failure", "event.reason": recipient[2]}
    elif "rejected" in text or "sender verify fail" in text or "dropped" in text:
        fields.setdefault("event.outcome", "failure")
    return fields
