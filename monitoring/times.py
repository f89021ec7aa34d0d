"""Times as devices write them, to UTC.

`read` takes the time that begins at a place of a text; `moment_of` takes a text that is a time. Both
say where its zone is from: "line" when the text states one, else "inventory" (the sender's own zone). A zone name
that means different zones to different people (CST, IST, BST) is not one. Nothing here raises.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import NamedTuple

_MONTH = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
MONTHS = {name: number for number, name in enumerate(_MONTH.split("|"), 1)}
MONTHS |= {name.upper(): number for name, number in MONTHS.items()}  # some write them so
_MON = "|".join(MONTHS)
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{2}):(?P<second>\d{2})(?:[.,:](?P<fraction>\d{1,9}))?(?:\.\d{1,3})?"
_HALF = r"(?: ?(?P<half>[AaPp][Mm])\b(?:\.(?P<milli>\d{1,6}))?)?"
_ZONE = r"(?: ?\(?(?P<zone>Z|(?:UTC|GMT)?[+-]\d{1,2}(?::?\d{2})?(?!\d)|(?!(?:CEF|LEEF):)[A-Z]{2,5}(?![\w-]))\)?)?"
_WEEKDAY = r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6},? +)?"
_BSD = re.compile(
    rf"[*.!;]?{_WEEKDAY}(?P<month>{_MON})[a-z]{{0,6}} {{1,2}}(?P<day>\d{{1,2}}),?(?: (?P<year>\d{{4}}),?)? {{1,2}}"
    rf"{_CLOCK}{_HALF}(?: (?P<late>\d{{4}})(?=[ ,\]]|: |\Z))?{_ZONE}(?: (?P<last>(?:19|20)\d{{2}})(?=[ ,\]]|: |\Z))?"
)
_PLAIN = re.compile(
    rf"(?:{_MONTH}) [ \d]\d \d{{2}}:\d{{2}}:\d{{2}}(?= (?!\d{{4}}[ ,\]:]|[A-Z]{{1,5}}[ :)]|[+-]\d|(?:UTC|GMT)[+-]))"
)
_ISO = re.compile(
    r"(?P<year>\d{4})(?P<mark>[-/.:])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})[T _:-]{1,2}"
    rf"{_CLOCK}{_HALF}{_ZONE}"
)
_NUMBERS = r"(?P<first>\d{1,2})(?P<mark>[/.-])(?P<second_>\d{1,2})(?P=mark)"  # day and month, in either order
_OTHERS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?P<year>\d{{4}}) (?P<month>{_MONTH}) {{1,2}}(?P<day>\d{{1,2}}),? {_CLOCK}{_ZONE}",  # NX-OS
        rf"\[?(?P<day>\d{{1,2}})/(?P<month>{_MONTH})/(?P<year>\d{{4}})[: ]{_CLOCK}{_ZONE}\]?",  # web servers
        rf"{_WEEKDAY}(?P<day>\d{{1,2}})[- ]?(?P<month>{_MONTH})[a-z]{{0,6}}[- ]?(?P<year>\d{{4}}|\d{{2}})[ T:]{{1,2}}"
        rf"{_CLOCK}{_HALF}{_ZONE}",
        rf"{_NUMBERS}(?P<year>\d{{4}}|\d{{2}})(?:,? |:){_CLOCK}{_HALF}{_ZONE}",
        rf"{_CLOCK}{_HALF} {_NUMBERS}(?P<year>\d{{4}}){_ZONE}",  # ZTE
        rf"{_CLOCK} (?P<year>\d{{4}})-(?P<month>\d{{2}})-(?P<day>\d{{2}}){_ZONE}",
        r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})T(?P<hour>\d{2}):(?P<minute>\d{2})(?P<second>)(?P<fraction>)"
        r"(?P<zone>Z|[+-]\d{2}:?\d{2})",  # to the minute, with a zone
        r"(?P<year>\d{4})-?(?P<month>\d{2})-?(?P<day>\d{2})[T -]?(?P<hour>\d{2}):?(?P<minute>\d{2}):?(?P<second>\d{2})"
        rf"(?:\.(?P<fraction>\d{{1,9}}))?{_ZONE}(?!\d)",
        rf"(?P<year>\d{{2}})(?P<month>\d{{2}})(?P<day>\d{{2}}) {{1,2}}{_CLOCK}",  # MySQL before 5.7
    )
)
_EPOCH_TEXT = re.compile(r"(?P<epoch>\d{10}(?:\.\d{1,9})?|\d{13}(?:\.\d{1,6})?|\d{16}|\d{19})(?![\w.])")
ZONES: dict[str, tzinfo] = {
    name: timezone(timedelta(hours=hours))
    for hours, names in {
        0: "Z UTC GMT WET", 1: "CET WEST", 2: "CEST MEST EET", 3: "EEST MSK", 7: "ICT WIB", 8: "SGT HKT AWST",
        9: "JST KST", 10: "AEST", 11: "AEDT", -4: "EDT", -5: "EST CDT", -6: "MDT", -7: "MST PDT", -8: "PST",
    }.items()
    for name in names.split()
}  # fmt: skip
_EPOCH_DIGITS = frozenset((10, 13, 16, 19))  # seconds, milli-, micro- and nanoseconds
_DAY, _YEAR = timedelta(days=1), timedelta(days=364)
# Within a year before a moment and a day after it, by more than hours: the year meant is the same all through an hour.
_SURELY_PAST, _SURELY_NEXT = timedelta(days=362), timedelta(hours=20)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_hour = _EPOCH, _EPOCH  # the one asked for last, and its end


class Reading(NamedTuple):
    """A time that was read."""

    when: datetime  # aware UTC
    zone_from: str  # "line" or "inventory"
    end: int  # of the time in the text


def read(text: str, at: int = 0, *, received: datetime, zone: tzinfo) -> Reading | None:
    """The time that begins at `at`; None when none does or it is no moment of any calendar.

    received: aware; decides the year where the text has none, to the one nearest to it and at most a day ahead.
    zone: of the sender, for texts that state none.
    """
    first = text[at : at + 1]
    if not first.isdigit():
        match = _PLAIN.match(text, at)
        if match is not None:
            when = _plain(match[0], _hour_of(received), zone)
            if when is not None:
                return Reading(when, "inventory", match.end())
        match = _BSD.match(text, at)
        if match is not None:
            return _reading(match, received, zone)
    else:
        match = (_EPOCH_TEXT if text[at : at + 10].isdecimal() else _ISO).match(text, at)
        if match is not None:
            return _reading(match, received, zone)
    for pattern in _OTHERS:
        match = pattern.match(text, at)
        if match is not None:
            found = _reading(match, received, zone)
            if found is not None:
                return found
    return None


def moment_of(text: str, *, received: datetime, zone: tzinfo) -> Reading | None:
    """The moment a field of its own states, whatever its form; None when it states none."""
    text = text.strip().lstrip("[")
    if text.isdecimal() and len(text) in _EPOCH_DIGITS:
        when = _epoch(text)
        return None if when is None else Reading(when, "line", len(text))
    return read(text, received=received, zone=zone)


def plain_moment(written: str, received: datetime, zone: tzinfo) -> datetime | None:
    """The moment of "Nov 22 10:15:04", UTC; None when there is no such day."""
    return _plain(written, _hour_of(received), zone)


def local_moment(
    clock: tuple[int, int, int, int, int, int], micros: int, received: datetime, zone: tzinfo
) -> datetime | None:
    """The moment of a year (0: not written), month, day, hour, minute and second in the sender's zone, UTC.

    None when there is no such day, or when it is not clear without more care which year is meant.
    """
    if clock[0]:
        when = _stated(clock, zone)
    else:
        hour = _hour_of(received)
        when = _unstated(clock, hour, zone)
        if when is not None and not hour - _SURELY_PAST < when < hour + _SURELY_NEXT:
            return None
    return when + timedelta(microseconds=micros) if micros and when is not None else when


@lru_cache(maxsize=1024)
def _stated(clock: tuple[int, int, int, int, int, int], zone: tzinfo) -> datetime | None:
    return _moment(clock[0], (*clock[1:], 0), zone)


@lru_cache(maxsize=1024)
def _unstated(clock: tuple[int, int, int, int, int, int], hour: datetime, zone: tzinfo) -> datetime | None:
    return _nearest((*clock[1:], 0), hour, zone)


def _hour_of(received: datetime) -> datetime:
    """The hour it is in, UTC: the same object as long as it is the same hour, so that its hash is worked out once."""
    global _hour
    begin, end = _hour
    if not begin <= received < end:
        begin = received.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        _hour = begin, begin + timedelta(hours=1)
    return begin


@lru_cache(maxsize=1024)
def _plain(written: str, hour: datetime, zone: tzinfo) -> datetime | None:
    """Without year and zone, as most of syslog has it; thousands of lines come within a second."""
    clock = (MONTHS[written[:3]], int(written[4:6]), int(written[7:9]), int(written[10:12]), int(written[13:15]), 0)
    return _nearest(clock, hour, zone)


@lru_cache(maxsize=256)
def zone_of(written: str | None) -> tzinfo | None:
    """The zone of "+07:00", "-0500", "UTC+7", "ICT"; None for what is none or means several."""
    if not written:
        return None
    known = ZONES.get(written)
    if known is not None:
        return known
    match = re.fullmatch(r"(?:UTC|GMT)?([+-])(\d{1,2}?)(?::?(\d{2}))?", written)
    if match is None:
        return None
    sign, hours, minutes = match.groups()
    span = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return timezone(-span if sign == "-" else span) if span < _DAY else None


def _reading(match: re.Match[str], received: datetime, zone: tzinfo) -> Reading | None:
    parts = match.groupdict()
    if parts.get("epoch"):
        when = _epoch(parts["epoch"])
        return None if when is None else Reading(when, "line", match.end())
    written = parts.get("zone")
    known = zone_of(written)
    end = match.end()
    if written and known is None and written.isalpha() and not _is_before_colon(match):
        end = match.start("zone")  # a word in capitals after the time: a level or a host, no zone
        while end > match.start() and match.string[end - 1] in " (":
            end -= 1
    when = _dated(parts, received, known or zone)
    return None if when is None else Reading(when, "line" if known else "inventory", end)


def _is_before_colon(match: re.Match[str]) -> bool:
    """ "10:00:00 XYZ: %SYS": what stands between a time and a colon is a zone, known or not."""
    return match.string[match.end() : match.end() + 1] == ":"


def _epoch(written: str) -> datetime | None:
    whole, _, fraction = written.partition(".")
    unit = {10: 1_000_000, 13: 1_000, 16: 1}.get(len(whole))
    micros = int(whole) // 1000 if unit is None else int(whole) * unit
    if fraction and unit is not None:
        micros += int(int(fraction) * unit // 10 ** len(fraction))
    try:
        return _EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        return None


def _dated(parts: dict[str, str | None], received: datetime, zone: tzinfo) -> datetime | None:
    month, day = _month_and_day(parts)
    hour = int(parts["hour"] or 0)
    half = (parts.get("half") or "").lower()
    if half:
        hour = hour % 12 + (12 if half == "pm" else 0)
    fraction = parts.get("fraction") or parts.get("milli")  # `05:50:19 AM.484` of Cisco's call managers
    micros = int(fraction[:6].ljust(6, "0")) if fraction else 0
    clock = (month, day, hour, int(parts["minute"] or 0), int(parts["second"] or 0), micros)
    year = parts.get("year") or parts.get("late") or parts.get("last")
    if year is not None:
        return _moment(int(year) + (2000 if len(year) == 2 else 0), clock, zone)
    return _nearest(clock, received, zone)


def _month_and_day(parts: dict[str, str | None]) -> tuple[int, int]:
    first = parts.get("first")
    if first is None:
        month = parts["month"] or ""
        return MONTHS.get(month) or int(month), int(parts["day"] or 0)
    a, b = int(first), int(parts["second_"] or 0)
    is_day_first = a > 12 or (parts["mark"] == "." and b <= 12)  # 31/12, and 01.12. as Europe writes it
    return (b, a) if is_day_first else (a, b)


def _nearest(clock: tuple[int, ...], received: datetime, zone: tzinfo) -> datetime | None:
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
        return datetime(year, month, day, hour, minute, min(second, 59), microsecond, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
