"""What a parser gets and gives."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from monitoring.event import Value

# Flat ECS names and values. `@timestamp` may be a time in any form that `monitoring.times` reads (the event's own
# time goes before the header's); with `event.timezone` beside it that is its zone where it states none.
Parsed = Mapping[str, Value]


class Line(NamedTuple):
    """A message without its header. A tuple, because one is made for every line."""

    text: str
    app_name: str  # as the header has it: "sshd", "/usr/sbin/cron"; "" when it names none
    received: datetime  # aware UTC
    platform: str = ""  # of the device that sent it, from the inventory: "frr", "debian"
    document: Mapping[str, Any] | None = None  # the JSON object that the message is
    msgid: str = ""  # RFC 5424
    structured: str = ""  # RFC 5424's structured data, as written; `structured_pairs` reads it
