"""pf: the transport by what tcpdump writes of the packet."""

from __future__ import annotations

import re

from monitoring.event import Value
from monitoring.parsers import Line, Pairs, Parsed, put

_TOLD = re.compile(r" > \S{1,64}: (?:(Flags \[|[SFPR.]{1,4} \d)|(\[?udp|\d{1,5}[+*]? |NTP)|(icmp|ICMP))")


def refine(line: Line, fields: dict[str, Value], pairs: Pairs) -> Parsed | None:
    told = _TOLD.search(line.text[:1024])
    if told is not None:
        put(fields, "network.transport", "tcp" if told[1] else "udp" if told[2] else "icmp")
    return fields
