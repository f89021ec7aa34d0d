"""What those who recorded a line put around it: quotes, a column of their own, a blank where the priority was.

`syslog` takes it off before it reads the header.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_QUOTED = re.compile(r"\"(?:<\d{1,3}>|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d |\d{4}-\d\d-\d\d[T ]\d\d:)")
_SPACED_TIME = re.compile(r" {1,4}(?:[A-Z][a-z]{2} [ \d]\d |\d{4}[- ]|\d\d/\d\d/\d{4}:)")
# docker compose before a line that has its own header: `mail_1  | Nov 22 10:00:00 mail dovecot: `.
_COMPOSE = re.compile(
    r"[a-z][\w.-]{0,63} {1,32}\| {1,4}"
    r"(?=[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [\w.-]{1,255} [\w./-]{1,64}(?:\[\d{1,10}\])?: )"
)
# The files of Kiwi's syslog daemon: `01-15-2009 11:44:53<tab>Local3.Info<tab>10.0.0.1<tab>message`.
_KIWI = re.compile(
    r"(\d{4}-\d\d-\d\d|\d\d-\d\d-\d{4})[\t ](\d\d:\d\d:\d\d)[\t ]"
    r"(Kernel|User|Mail|Daemon|Auth|Syslog|Lpr|News|UUCP|Cron|System[0-5]|Local[0-7])\."
    r"(Emerg|Alert|Critical|Error|Warning|Notice|Info|Debug)[\t ]{1,2}(\S{1,255})[\t ]{1,2}"
)
_KIWI_FACILITIES = (
    *("Kernel", "User", "Mail", "Daemon", "Auth", "Syslog", "Lpr", "News", "UUCP", "Cron"),
    *(f"System{number}" for number in range(6)),
    *(f"Local{number}" for number in range(8)),
)
_KIWI_SEVERITIES = ("Emerg", "Alert", "Critical", "Error", "Warning", "Notice", "Info", "Debug")


class Kiwi(NamedTuple):
    """What Kiwi's daemon wrote before a message."""

    priority: int
    time: str  # with its year, without a zone
    host: str
    rest: str


def kiwi_of(text: str) -> Kiwi | None:
    match = _KIWI.match(text)
    if match is None:
        return None
    day, clock, facility, severity, host = match.groups()
    priority = _KIWI_FACILITIES.index(facility) * 8 + _KIWI_SEVERITIES.index(severity)
    return Kiwi(priority, f"{day} {clock}", host, text[match.end() :])


def unquoted(text: str) -> str:
    """A cell of somebody's table without its quotes."""
    is_cell = text[:1] == '"' and text[-1:] == '"' and _QUOTED.match(text) is not None
    return text[1:-1].replace('""', '"') if is_cell else text


def without_lead(text: str) -> str:
    """A line without priority, from its time on: a priority that was taken off left a blank, a container its name."""
    if _SPACED_TIME.match(text) is not None:
        text = text.lstrip(" ")
    compose = _COMPOSE.match(text)
    return text if compose is None else text[compose.end() :]
