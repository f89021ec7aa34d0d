"""What a parser gets and gives."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from monitoring.event import Value

Parsed = Mapping[str, Value]


class Line(NamedTuple):
    """A message without its header. A tuple, because one is made for every line."""

    text: str
    app_name: str  # as the header has it: "sshd", "/usr/sbin/cron"; "" when it names none
    received: datetime  # aware UTC
    platform: str = ""  # of the device that sent it, from the inventory: "frr", "debian"
