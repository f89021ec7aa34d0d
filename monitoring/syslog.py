"""The header of a syslog message: RFC 5424, RFC 3164 and what devices make of it.

Text in, `Header` out, in one pass. What the message itself says is left to `parsers`; who really
sent it is left to `enrich`. Nothing here raises: what is no header is part of the message.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from canh_native import Headers

from monitoring.event import Value
from monitoring.preamble import IS_MARK, begins_again, preamble_of, without_words
from monitoring.priority import LARGEST, priority_fields
from monitoring.recorded import Kiwi, kiwi_of, unquoted, without_lead
from monitoring.times import MONTHS, ZONES, local_moment, plain_moment, read


class Header(NamedTuple):
    """What stands before the message. A tuple, because one is made for every line."""

    fields: dict[str, Value]  # log.syslog.*, process.*, log.level, error.message; a new dict each time
    when: datetime | None  # aware UTC; None when the line has no usable time
    zone_from: str  # "line", "inventory" or "" when `when` is None
    message: str
    app_name: str  # "" when there is none
    is_syslog: bool  # a priority or a time was there


_RFC5424 = re.compile(
    r"(?:<(\d{1,3})>)? {0,2}1 {1,2}(\d{4}-\d{2}-\d{2}[T ]\S+|-|\d{10}(?:\.\d{1,9})?) {1,2}(\S{1,255}) (\S{1,255}) "
    r"(\S{1,128}) (\S{1,64}) "
    r"(-|(?:\[[^\s\]=\"]+(?: [^\s\]=\"]+=\"(?:[^\"\\]|\\.)*\")* ?\])+)(?: (.*))?\Z",
    re.DOTALL,
)
# The version, then no more of RFC 5424 than a time.
_ALMOST_5424 = re.compile(r"1 (?=\d{4}-\d\d-\d\d|\d{10}[. ]|[A-Z][a-z]{2} {1,2}\d)")
_PRIORITY = re.compile(r"\s{0,8}<(\d{1,3})>\s{0,4}")
_COUNTED = re.compile(r"\d{1,6} (?=<\d{1,3}>)")  # the length of RFC 6587, left there by who recorded the line
_TAG = re.compile(
    r"(?!CEF: ?\d\||LEEF: ?\d|#[A-Z\d]{2,16}-[0-7]-)"
    r"([^\s:\[\]<>{}\"=,%|][^\s:\[\]<>{}\"=,|]{0,63})(?:\[([^\]\s]{0,64})\])?:(?: |\Z)"
)
_LEVEL = re.compile(
    r"(emerg|alert|crit|err|error|warning|warn|notice|info|debug) (?=[A-Za-z][\w./()-]{1,63}(?:\[\d{1,10}\])?: )"
)
# gdm and polkit: `gdm-password]: `, `polkitd(authority=local)[700]: `.
_ODD_TAG = re.compile(r"([A-Za-z][\w.-]{1,48})(?:\]|\([\w=,-]{1,48}\))(?:\[(\d{1,10})\])?: ")
# OpenWrt's logread, which has no priority: `daemon.info dnsmasq[1]: ` where the host would be.
_FACILITY = re.compile(
    r"(?:kern|user|mail|daemon|auth|syslog|lpr|news|uucp|cron|authpriv|ftp|local[0-7])\."
    r"(?:emerg|alert|crit|err|error|warn|warning|notice|info|debug) (?=[\w./()-]{1,64}(?:\[\d{1,10}\])?: |: )"
)
_NO_HOSTS = frozenset(  # words that follow a time and are no name
    (
        *("TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "WARNING", "ERROR", "ERR", "CRITICAL", "CRIT", "FATAL"),
        *("Trace", "Debug", "Info", "Notice", "Warn", "Warning", "Error", "Critical", "Fatal"),
        *("-", "->", "alarm", "Severity"),
    )
)
_SEVERITY = re.compile(r"(?:Em|Al|Cr|Er|Wa|No|In|Db)\(\d{0,3}\)\+? ")
_SOLARIS = re.compile(r"\[ID (\d{1,9}) [a-z0-9]{1,16}\.[a-z]{1,16}\] ")
_NO_PRIORITY: dict[str, Value] = {}


def header_of(text: str, *, received: datetime, zone: tzinfo) -> Header:
    """The header of one message; of one that a relay put its own header before, the inner one.

    received: aware; decides the year where the line has none.
    zone: of the sender, for times that state none.
    """
    found = _ORDINARY(text, received, zone)
    return header_by_patterns(text, received, zone) if found is None else _NEW(Header, found)


def ordinary_header(text: str, received: datetime, zone: tzinfo) -> Header | None:
    """The same of an ordinary header, which nearly all are, in a tenth of the time; None of any other."""
    found = _ORDINARY(text, received, zone)
    return None if found is None else _NEW(Header, found)


def header_by_patterns(text: str, received: datetime, zone: tzinfo) -> Header:
    """The same of any header. What a header is, is said here; what reads some of them faster has to agree."""
    text = unquoted(text)
    kiwi = kiwi_of(text)
    if kiwi is not None:
        return _of_kiwi(kiwi, received, zone)
    header = _header(text, received, zone)
    if header.message[:1] == "<" and _PRIORITY.match(header.message):
        return _relayed(header, _header(header.message, received, zone))
    return header


def _of_kiwi(kiwi: Kiwi, received: datetime, zone: tzinfo) -> Header:
    """What the sender said, its own time and host when it wrote them; it wrote no year, but Kiwi did."""
    received = _time(f"{kiwi.time} ", received, zone)[0] or received
    outer = _header(f"<{kiwi.priority}>{kiwi.time} {kiwi.host} {kiwi.rest}", received, zone)
    if kiwi.rest[:3] not in MONTHS:
        return outer
    inner = _header(f"<{kiwi.priority}>{kiwi.rest}", received, zone)
    return _relayed(outer, inner) if inner.when is not None else outer


def _header(text: str, received: datetime, zone: tzinfo) -> Header:
    match = _RFC5424.match(text)
    return _rfc5424(match, received, zone) if match is not None else _rfc3164(text, received, zone)


def _relayed(outer: Header, inner: Header) -> Header:
    """What the sender said; of the relay only what the sender left out."""
    fields = outer.fields | inner.fields
    relay = outer.fields.get("log.syslog.hostname")
    if relay is not None and fields["log.syslog.hostname"] != relay:
        fields["canh.relay.hostname"] = relay
    if inner.when is not None:
        outer = outer._replace(when=inner.when, zone_from=inner.zone_from)
    return inner._replace(
        fields=fields, when=outer.when, zone_from=outer.zone_from, app_name=inner.app_name or outer.app_name
    )


def _rfc5424(match: re.Match[str], received: datetime, zone: tzinfo) -> Header:
    priority, stamp, host, app, procid, msgid, structured, message = match.groups()
    fields = dict(_NO_PRIORITY if priority is None else priority_fields(priority))
    fields["log.syslog.version"] = "1"
    if host != "-":
        fields["log.syslog.hostname"] = host
    if app != "-":
        fields["log.syslog.appname"] = app
        fields["process.name"] = app.rpartition("/")[2] or app
    _add_procid(fields, procid)
    if msgid != "-":
        fields["log.syslog.msgid"] = msgid
    if structured != "-":
        fields["log.syslog.structured_data"] = structured
    when, zone_from = _stamp(stamp, received, zone)
    return Header(fields, when, zone_from, _message(message or ""), "" if app == "-" else app, True)


def _rfc3164(text: str, received: datetime, zone: tzinfo) -> Header:
    counted = _COUNTED.match(text)
    at = 0 if counted is None else counted.end()
    priority = _PRIORITY.match(text, at)
    fields = dict(_NO_PRIORITY if priority is None else priority_fields(priority[1]))
    text = without_lead(text[at:]) if priority is None else text[priority.end() :]
    almost = _ALMOST_5424.match(text)
    rest = text if almost is None else text[almost.end() :]
    when, zone_from, rest = _time(rest, received, zone)
    if when is None and (priority is not None or rest[:1].isdigit() or rest.startswith(("*", ":", "RP/", "LC/"))):
        when, zone_from, rest = _counted(fields, rest, received, zone)
    elif when is not None and rest[:2] == "20":
        when, zone_from, rest = _second_time(fields, when, zone_from, rest, received, zone)
    if when is None:
        return _without_time(fields, rest, is_syslog=priority is not None)
    rest = _without_severity(rest)
    host, after, rest = _named(rest) if priority is None else (*_host(rest), rest)
    if host == "Message" and after.startswith("forwarded from "):  # AIX's syslogd names the first sender so
        host, _, after = after[15:].partition(": ")
    if host and (priority is not None or almost is not None or _is_host_credible(text, after)):
        fields["log.syslog.hostname"] = host
        rest = _without_severity(without_words(after))
        when, zone_from, rest = _second_time(fields, when, zone_from, rest, received, zone)
    return _without_time(fields, rest, is_syslog=True)._replace(when=when, zone_from=zone_from)


def _named(text: str) -> tuple[str, str, str]:
    """(host, what follows it, the text) of a line that lost its priority: some say it in words instead of a host."""
    facility = _FACILITY.match(text)
    if facility is not None:
        text = text[facility.end() :].removeprefix(": ")
        return "", text, text
    if _LEVEL.match(text) is not None:  # `2026-11-22T03:15:04Z info exim[1]: `, of Alpine's syslog-ng
        return "", text, text
    return *_host(text), text


def _without_time(fields: dict[str, Value], rest: str, *, is_syslog: bool) -> Header:
    """The rest of a header: the level in words, the program and its process, the message."""
    level = _LEVEL.match(rest) if is_syslog else None
    if level is not None:  # `notice mcpd[6551]: text`, of BIG-IP and of what prints the priority in words
        fields.setdefault("log.level", level[1])
        rest = rest[level.end() :]
    tag = (_TAG.match(rest) or _ODD_TAG.match(rest)) if is_syslog else None
    if tag is None or tag[1] in _NO_HOSTS:
        return Header(fields, None, "", _message(rest), "", is_syslog)
    app, procid = tag.groups()
    fields["log.syslog.appname"] = app
    fields["process.name"] = app.rpartition("/")[2] or app
    if procid:
        _add_procid(fields, procid)
    message = _message(rest[tag.end() :])
    if message[:4] == "[ID ":  # Solaris: the message's number, facility and severity
        solaris = _SOLARIS.match(message)
        if solaris is not None:
            fields["log.syslog.msgid"] = solaris[1]
            message = message[solaris.end() :]
    return Header(fields, None, "", message, app, True)


def _without_severity(text: str) -> str:
    """ESXi 8 writes `In(14) ` before the program."""
    return text[text.index(" ") + 1 :] if text[2:3] == "(" and _SEVERITY.match(text) else text


def _add_procid(fields: dict[str, Value], procid: str) -> None:
    if procid != "-":
        fields["log.syslog.procid"] = procid
        if procid.isdecimal() and len(procid) < 11:
            fields["process.pid"] = int(procid)


def _counted(fields: dict[str, Value], text: str, received: datetime, zone: tzinfo) -> tuple[datetime | None, str, str]:
    """A message of Cisco's kind: numbers and the origin before the time, or the time since boot instead of one."""
    found = preamble_of(text)
    if found is None:
        return None, "", text
    if found.sequence:
        fields["event.sequence"] = int(found.sequence)
    if found.origin:
        fields["log.syslog.hostname"] = found.origin
    if found.rest.startswith("%"):
        return None, "", found.rest
    when, zone_from, rest = _time(found.rest, received, zone)
    return when, zone_from, rest.removeprefix(": ")


def _second_time(
    fields: dict[str, Value], when: datetime, zone_from: str, text: str, received: datetime, zone: tzinfo
) -> tuple[datetime, str, str]:
    """Behind a relay's time and host often stands the device's own, counted or not; it knows better.

    Its name goes before an address, which is what the relay saw of it.
    """
    first = text[:1]
    if not (first.isdigit() or first in "*.:" or text[:3] in MONTHS or text.startswith(("RP/", "LC/"))):
        return _time_behind_origin(text, received, zone) or (when, zone_from, text)
    host = str(fields.get("log.syslog.hostname", ""))
    own, own_from, rest = _time(text.lstrip(": "), received, zone)
    if own is None:
        own, own_from, rest = _counted(fields, text.lstrip(": "), received, zone)
        if host and not host.replace(".", "").isdecimal() and ":" not in host:
            fields["log.syslog.hostname"] = host
    return (when, zone_from, rest) if own is None else (own, own_from, rest)


def _time_behind_origin(text: str, received: datetime, zone: tzinfo) -> tuple[datetime, str, str] | None:
    """`sw1: Nov 22 10:00:00: %SYS-5-...` behind a relay's own header: the device's time; None when it is not that."""
    if ": %" not in text[:160]:
        return None
    own, own_from, rest = _counted({}, text, received, zone)
    return (own, own_from, rest) if own is not None and rest.startswith("%") else None


def _is_host_credible(text: str, after: str) -> bool:
    """Of a line without a priority: files begin with a time too, and with other words after it."""
    return (
        text[:1] not in "0123456789["
        or _TAG.match(after) is not None
        or after.lstrip(" ").startswith(("%", "CEF:", "LEEF:"))
        or after[1:6] == "-PPE-"  # NetScaler's packet engine
        or begins_again(after)
    )


def _time(text: str, received: datetime, zone: tzinfo) -> tuple[datetime | None, str, str]:
    """(when, where its zone is from, what follows) of a text that may begin with a time."""
    found = read(text, received=received, zone=zone)
    if found is None:
        return None, "", text
    end = found.end + 1 if text.startswith((":", "]"), found.end) else found.end
    if len(text) > end and text[end] not in " \t":
        return None, "", text
    return found.when, found.zone_from, text[end + 1 :].lstrip(" ")


def _stamp(stamp: str, received: datetime, zone: tzinfo) -> tuple[datetime | None, str]:
    """The time of RFC 5424, or of one who nearly follows it."""
    try:
        when = datetime.fromisoformat(stamp)
        if when.tzinfo is not None:
            return when.astimezone(UTC), "line"
    except (ValueError, OverflowError):
        pass
    found = read(stamp, received=received, zone=zone)
    return (None, "") if found is None else (found.when, found.zone_from)


def _host(text: str) -> tuple[str, str]:
    """(host, rest): the first word, unless it is a tag already (BSD without host) or a Cisco-like marker."""
    host, space, rest = text.partition(" ")
    if (
        host in _NO_HOSTS
        or not space
        or len(host) > 255
        or not host
        or host[0] in '%<{["(|'
        or host.endswith(":")
        or "=" in host
        or host.startswith(("CEF:", "LEEF:"))
        or (host[0].isdigit() and host[1:2] == "," and host[6:7] == "/")  # PAN-OS without a host: `1,2024/03/05`
    ):
        if host.endswith(":") and space and (_is_host_before_colon(host, rest) or ("[" not in host and IS_MARK(rest))):
            return host[:-1], rest
        return "", text
    return host, rest.removeprefix(": ")


def _is_host_before_colon(host: str, rest: str) -> bool:
    """ "10.0.0.1: tag: text": an address before a colon is a host, a word is a tag."""
    return host[:-1].replace(".", "").isdecimal() and host.count(".") == 3 and bool(rest)


def _message(text: str) -> str:
    """The message itself: no byte order mark, no spaces before it (rsyslog's own template puts one there)."""
    return text.lstrip(" ").removeprefix("\ufeff")


_ORDINARY = Headers(
    [priority_fields(str(number)) for number in range(LARGEST + 1)],
    sorted(_NO_HOSTS),
    plain_moment,
    local_moment,
    datetime,
    UTC,
    ZONES,
).read
_NEW = tuple.__new__  # what the class does, without its detour
