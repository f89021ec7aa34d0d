"""What Cisco's systems put before their time: how many messages were sent, the origin, a sequence number, the task or
the card that speaks. `syslog` asks for it where a time should begin and none does.

    29: sw1: 000025: *Nov 22 10:00:00.123: %SYS-5-CONFIG_I: ...      IOS, each part optional
    : 2026 Nov 22 10:00:00 ICT: %VSHD-5-...                          NX-OS
    12: RP/0/RSP0/CPU0:Nov 22 10:00:00.123 UTC: ifmgr[215]: %PKT...  IOS-XR
    *Dot1x_NW_MsgTask_1: Nov 22 10:00:00.123: %DOT1X-3-...           AireOS
    68: 00:01:01: %SYS-5-RESTART: ...                                the time since boot instead of one
"""

from __future__ import annotations

import re
from typing import NamedTuple

_UPTIME_WORDS = r"[*.!]?(?:\d{1,4}:\d{2}:\d{2}(?:\.\d{1,6})?|(?:\d{1,3}[ywdh]){1,3}|\d{1,10} \d{1,10})"
_TIME = r"[*.!;]?(?:[A-Z][a-z]{2} {1,2}\d|\d{4} [A-Z][a-z]{2} |\d{4}-\d\d-\d\d[T ])"
_MARK = r"%[A-Z][\w+]{0,40}-(?:\w{1,40}-){0,3}[0-7]-"
_SPEAKER = r"(?:(?:Switch|Chassis) \d{1,2} )?[RFC]P?\d{1,2}/\d{1,2}: [\w.-]{1,64}: "
_PREAMBLE = re.compile(
    r":? {0,2}"
    r"(?:(\d{1,10}): {1,2})?"
    rf"(?:(?!{_UPTIME_WORDS}: )(\d{{1,3}}(?:\.\d{{1,3}}){{3}}|(?=[^ ]{{0,39}}:[^ ]{{0,39}}:)[0-9A-Fa-f:]{{3,39}}"
    r"|(?=[\w.()/-]{0,64}[A-Za-z])[\w.()/-]{1,255})(?: ?: {1,2}| (?=(?:RP|LC|SC|RSP)/)))?"
    r"(?:(\d{1,10}): {1,2})?"
    r"(?:\*[A-Za-z][\w .-]{0,63}: {1,2})?"
    r"(?:(?:RP|LC|SC|FC|D?RP|RSP)\d?/\d{1,3}/\w{1,8}(?:/\w{1,8})?:(?:([A-Za-z][\w.-]{0,254}):)?)?"
    rf"(?=(?:{_UPTIME_WORDS}: )?(?:{_SPEAKER})?{_MARK}|{_TIME})"
)
_UPTIME = re.compile(rf"{_UPTIME_WORDS}: (?={_SPEAKER}{_MARK}|%)")
_WITH_SPEAKER = re.compile(rf"{_SPEAKER}(?={_MARK})")
_AGAIN = re.compile(rf"(?:\d{{1,10}}: )?{_TIME}")
# What a relay writes between the host and the message: `local3.notice: `, or the zone that it did not know as one.
_WORDS = re.compile(
    r"(?:(?:local[0-7]|kern|user|mail|daemon|auth|authpriv|syslog|cron|lpr|ftp|auth\|security)[.:]"
    r"(?:emerg|alert|crit|err|error|warn|warning|notice|info|debug):? (?=[^ ]{1,255}: |%|Message forwarded from )"
    rf"|[A-Z]{{3,5}}: (?={_MARK}))"
)
IS_MARK = re.compile(_MARK).match


class Preamble(NamedTuple):
    origin: str  # "" when there is none
    sequence: str  # the sequence number, else the count; "" when there is neither
    rest: str  # from the time on, or from the message on when the time was that since boot


def preamble_of(text: str) -> Preamble | None:
    """What stands before the time or the message; None when this is nothing of the kind."""
    match = _PREAMBLE.match(text)
    if match is None:
        return None
    count, origin, sequence, node_origin = match.groups()
    rest = text[match.end() :]
    uptime = _UPTIME.match(rest)
    if uptime is not None:
        rest = rest[uptime.end() :]
    return Preamble(origin or node_origin or "", sequence or count or "", without_speaker(rest))


def begins_again(text: str) -> bool:
    """Whether a time begins here, counted or not."""
    return _AGAIN.match(text) is not None


def without_words(text: str) -> str:
    """From the message on, when a relay put its word for facility and level, or a zone, before."""
    match = _WORDS.match(text) if text[:1].isalpha() else None
    return text if match is None else text[match.end() :]


def without_speaker(text: str) -> str:
    """IOS-XE: `Switch 1 R0/0: sessmgrd: %AUTHMGR-5-START` from the marker on."""
    if text[:1] in "SCRF":
        match = _WITH_SPEAKER.match(text)
        if match is not None:
            return text[match.end() :]
    return text
