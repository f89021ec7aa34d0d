"""The header of a syslog message: RFC 5424, RFC 3164 and what devices make of it.

Text in, `Header` out, in one pass. What the message itself says is left to `parsers`; who really
sent it is left to `enrich`. Nothing here raises: what is no header is part of the message.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import NamedTuple

from monitoring.event import Value

FACILITIES = [
    "kern",
    "user",
    "mail",
    "daemon",
    "auth",
    "syslog",
    "lpr",
    "news",
    "uucp",
    "cron",
    "authpriv",
    "ftp",
    "ntp",
    "security",
    "console",
    "solaris-cron",
    "local0",
    "local1",
    "local2",
    "local3",
    "local4",
    "local5",
    "local6",
    "local7",
]
SEVERITIES = ["emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug"]


class Header(NamedTuple):
    """What stands before the message. A tuple, because one is made for every line."""

    fields: dict[str, Value]  # log.syslog.*, process.*, log.level, error.message; a new dict each time
    when: datetime | None  # aware UTC; None when the line has no usable time
    zone_from: str  # "line", "inventory" or "" when `when` is None
    message: str
    app_name: str  # "" when there is none
    is_syslog: bool  # a priority or a time was there


_RFC5424 = re.compile(
    r"<(\d{1,3})> ?1 (\S+) (\S{1,255}) (\S{1,255}) (\S{1,128}) (\S{1,64}) "
    r"(-|(?:\[[^\s\]=\"]+(?: [^\s\]=\"]+=\"(?:[^\"\\]|\\.)*\")* ?\])+)(?: (.*))?\Z",
    re.DOTALL,
)
_PRIORITY = re.compile(r"\s{0,8}<(\d{1,3})>\s?")
_BSD_TIME = re.compile(
    r"[*.]?(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {1,2}(\d{1,2}),?(?: (\d{4}))? (\d{2}):(\d{2}):(\d{2})"
    r"(?:[.,](\d{1,9}))?(?: (\d{4})(?=[ :]))?(?: ?(Z|UTC|GMT|ICT|[+-]\d{2}:?\d{2})(?=[ :])| [A-Z]{3,5}(?=:))?:?(?: |\Z)"
)
_ISO_TIME = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2}):(\d{2})(?:[.,](\d{1,9}))? ?(Z|UTC|[+-]\d{2}:?\d{2})?:?(?: |\Z)"
)
_TAG = re.compile(r"([^\s:\[\]<>{}\"=,]{1,64})(?:\[([^\]\s]{0,64})\])?:(?: |\Z)")
_MONTHS = {
    name: n
    for n, name in enumerate(["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], 1)
}
_ZONES = {"Z": UTC, "UTC": UTC, "GMT": UTC}
_NO_PRIORITY: dict[str, Value] = {}
_DAY, _YEAR = timedelta(days=1), timedelta(days=364)


def header_of(text: str, *, received: datetime, zone: tzinfo) -> Header:
    """The header of one message.

    received: aware; decides the year where the line has none.
    zone: of the sender, for times that state none.
    """
    match = _RFC5424.match(text)
    return _rfc5424(match, zone) if match is not None else _rfc3164(text, received, zone)


def _rfc5424(match: re.Match[str], zone: tzinfo) -> Header:
    priority, stamp, host, app, procid, msgid, structured, message = match.groups()
    fields = dict(_priority_fields(priority))
    fields["log.syslog.version"] = "1"
    if host != "-":
        fields["log.syslog.hostname"] = host
    if app != "-":
        fields["log.syslog.appname"] = fields["process.name"] = app
    if procid != "-":
        fields["log.syslog.procid"] = procid
        if procid.isdecimal() and len(procid) < 11:
            fields["process.pid"] = int(procid)
    if msgid != "-":
        fields["log.syslog.msgid"] = msgid
    if structured != "-":
        fields["log.syslog.structured_data"] = structured
    when, zone_from = _iso(stamp, zone)
    return Header(fields, when, zone_from, _message(message or ""), "" if app == "-" else app, True)


def _rfc3164(text: str, received: datetime, zone: tzinfo) -> Header:
    priority = _PRIORITY.match(text)
    fields = _NO_PRIORITY if priority is None else _priority_fields(priority[1])
    fields = dict(fields)
    rest = text if priority is None else text[priority.end() :]
    when, zone_from, rest = _time(rest, received, zone)
    is_syslog = priority is not None or when is not None
    if when is not None:
        host, rest = _host(rest)
        if host:
            fields["log.syslog.hostname"] = host
    tag = _TAG.match(rest) if is_syslog else None
    if tag is None:
        return Header(fields, when, zone_from, _message(rest), "", is_syslog)
    app, procid = tag.groups()
    fields["log.syslog.appname"] = app
    fields["process.name"] = app.rpartition("/")[2] or app
    if procid:
        fields["log.syslog.procid"] = procid
        if procid.isdecimal() and len(procid) < 11:
            fields["process.pid"] = int(procid)
    return Header(fields, when, zone_from, _message(rest[tag.end() :]), app, True)


@lru_cache(maxsize=1024)
def _priority_fields(digits: str) -> dict[str, Value]:
    """The fields of a priority; shared, so copy before use. Above 191 it is kept as it is, and said to be wrong."""
    priority = int(digits)
    if priority > 191:
        return {"log.syslog.priority": priority, "error.message": f"malformed priority: {priority}"}
    facility, severity = divmod(priority, 8)
    return {
        "log.syslog.priority": priority,
        "log.syslog.facility.code": facility,
        "log.syslog.facility.name": FACILITIES[facility],
        "log.syslog.severity.code": severity,
        "log.syslog.severity.name": SEVERITIES[severity],
        "log.level": SEVERITIES[severity],
    }


def _time(text: str, received: datetime, zone: tzinfo) -> tuple[datetime | None, str, str]:
    """(when, where its zone is from, what follows) of a text that may begin with a time."""
    match = _BSD_TIME.match(text)
    if match is not None:
        month, day, year, hour, minute, second, fraction, late_year, offset = match.groups()
        clock = (_MONTHS[month], int(day), int(hour), int(minute), int(second), _microseconds(fraction))
        known = _zone(offset)
        when = _dated(year or late_year, clock, received, known or zone)
        if when is not None:
            return when, "line" if known else "inventory", text[match.end() :]
    match = _ISO_TIME.match(text)
    if match is not None:
        when, zone_from = _iso(
            match[0].strip().rstrip(":").replace(",", ".").replace("UTC", "Z").replace(" Z", "Z"), zone
        )
        if when is not None:
            return when, zone_from, text[match.end() :]
    return None, "", text


def _iso(stamp: str, zone: tzinfo) -> tuple[datetime | None, str]:
    try:
        when = datetime.fromisoformat(stamp)
        if when.tzinfo is None:
            return when.replace(tzinfo=zone).astimezone(UTC), "inventory"
        return when.astimezone(UTC), "line"
    except (ValueError, OverflowError):
        return None, ""


def _dated(year: str | None, clock: tuple[int, ...], received: datetime, zone: tzinfo) -> datetime | None:
    """The moment of a clock reading; without a year the one nearest to `received`, at most a day ahead."""
    if year is not None:
        return _moment(int(year), clock, zone)
    this_year = received.astimezone(zone).year
    when = _moment(this_year, clock, zone)
    if when is None:  # 29 February of the last leap year
        return next((w for back in range(1, 9) if (w := _moment(this_year - back, clock, zone))), None)
    if when > received + _DAY:
        return _moment(this_year - 1, clock, zone)
    if when < received - _YEAR:
        return _moment(this_year + 1, clock, zone) or when
    return when


def _moment(year: int, clock: tuple[int, ...], zone: tzinfo) -> datetime | None:
    month, day, hour, minute, second, microsecond = clock
    try:
        return datetime(year, month, day, hour, minute, second, microsecond, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _microseconds(fraction: str | None) -> int:
    return int(fraction[:6].ljust(6, "0")) if fraction else 0


@lru_cache(maxsize=256)
def _zone(written: str | None) -> tzinfo | None:
    """The zone a line states. A name that means different zones to different people is not one (ICT is safe)."""
    if not written:
        return None
    if written in _ZONES:
        return _ZONES[written]
    try:
        return datetime.strptime("+0700" if written == "ICT" else written, "%z").tzinfo
    except ValueError:
        return None


def _host(text: str) -> tuple[str, str]:
    """(host, rest): the first word, unless it is a tag already (BSD without host) or a Cisco-like marker."""
    host, space, rest = text.partition(" ")
    if not space or len(host) > 255 or not host or host[0] in '%<{["(' or host.endswith(":") or "=" in host:
        if host.endswith(":") and space and _is_host_before_colon(host, rest):
            return host[:-1], rest
        return "", text
    return host, rest.removeprefix(": ")


def _is_host_before_colon(host: str, rest: str) -> bool:
    """ "10.0.0.1: tag: text": an address before a colon is a host, a word is a tag."""
    return host[:-1].replace(".", "").isdecimal() and host.count(".") == 3 and bool(rest)


def _message(text: str) -> str:
    """The message itself: no byte order mark, no spaces before it (rsyslog's own template puts one there)."""
    return text.lstrip(" ").removeprefix("\ufeff")
