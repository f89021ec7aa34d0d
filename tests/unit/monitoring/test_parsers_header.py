"""The fast way to read a header says what the patterns say, or nothing: of every case's line, of headers of any shape,
and of both with damage anywhere."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.syslog import Header, header_by_patterns, header_of, ordinary_header
from tests.unit.monitoring.lab import RECEIVED, ROOT

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
LINES = [
    line
    for file in sorted((ROOT / "monitoring/parsers").glob("*/tests/*.log"))
    for line in file.read_bytes().decode("utf-8", "backslashreplace").split("\n")
    if line.startswith("<")
]
DAMAGES = 12  # of a line
ORDINARY = [
    "<38>1 2026-11-22T10:15:04.003000+07:00 dc-r1 sshd 812 - - Failed password",
    "<38>1 2026-11-22T10:15:04Z dc-r1 sshd - - - Đăng nhập",
    '<165>1 2026-11-22T10:15:04.003-07:00 h app 1 ID47 [ex@32473 iut="3" a="x\\"]\\\\"][b c="d"] \ufeffAn event',
    "<13>1 - - - - - -",
    "<34>Nov 22 10:15:04 web1 su: hello",
    "<34>Nov  2 10:15:04 web1 su[12]: hello",
    "<34>Nov 2 10:15:04 web1 su[12]: hello",
    "<34> Nov 22 10:15:04 web1 su: hello",
    "<034>Nov 22 10:15:04 web1 su: hello",
    "<34>Nov 22 10:15:04.250 web1 su: hello",
    "<34>Nov 22 10:15:04 su[12]: hello",
    "<34>Nov 22 10:15:04 web1 /usr/sbin/cron[7]: hello",
    "<34>Nov 22 10:15:04 203.0.113.1 su: hello",
    "<34>Nov 22 10:15:04 web1 just words",
    "<34>Nov 22 10:15:04 web1 CEF:0|V|P|1|2|n|3|a=b",
    "<34>2026-11-22T10:15:04+07:00 web1 su: hello",
    "<34>2026-11-22T03:15:04.5Z web1 su: hello",
    "<34>2026-11-22 10:15:04 web1 su: hello",
    "<189>Nov 22 10:00:00 sw1: %LINK-3-UPDOWN: a",
    "<166>Nov 22 2026 03:20:00 dc-r1 : %ASA-6-302013: Built outbound TCP connection",
    "<166>Nov 22 2026 03:20:00: %ASA-6-302013: Built outbound TCP connection",
    "<190>Mar  1 10:00:00 2026 fw-hh1 %%10FILTER/6/FILTER_ZONE_IPV4_EXECUTION: a",
    "<14>Nov 22 03:20:00 pa1 1,2026/11/22 03:20:00,01606001116,TRAFFIC,end",
    "<189>29: Nov 22 10:00:00.123 ICT: %SYS-5-CONFIG_I: Configured from console",
    "<189>29: sw1: 000025: *Nov 22 10:00:00.123: %SYS-5-X: a",
    "<189>: 2026 Nov 22 10:00:00 ICT: %ETHPORT-5-IF_UP: a",
    "<166>Nov 22 2026 03:20:00 UTC: %ASA-6-302013: Built",
    "<141>Mar  5 10:11:12 bigip1 notice mcpd[6551]: 01070417:5: AUDIT",
    '<14>{"a": 1}',
    "<134>CEF:0|V|P|1|2|n|3|a=b",
    '<189>date=2026-11-22 time=03:20:00 devname="FGT-HN-01"',
]
# What headers are made of, and what looks like a part of one without being it.
PRIORITIES = [
    "<34>", "<0>", "<191>", "<192>", "<999>", "<1234>", "<>", "<a>", "<034>", "<34> ", "<34>  ", "", "12 <34>",
]  # fmt: skip
STAMPS = [
    "Nov 22 10:15:04", "Nov  2 10:15:04", "Nov 2 10:15:04", "Nov 02 10:15:04", "Nov 22 2026 10:15:04",
    "Feb 29 10:15:04", "Nov 22 10:15:04.123", "Nov 22 10:15:04.123456789", "Nov 22 10:15:04.1234567890",
    "Nov 22 10:15:04,5", "Feb 30 00:00:00", "Nov 22 10:15:04 2026", "Nov 22 10:15:04.5 2025", "Nov 22 10:15:04 1999",
    "Nov 22 10:15:60", "Nov 22 24:00:00", "Jan  1 00:00:00", "Dec 31 23:59:59", "Jan 1 06:59:59.999",
    "Dec 31 23:59:59.5", "Nov 22 25:00:00", "Nov 0 10:00:00", "2026-11-22T10:15:04Z", "2026-11-22T10:15:04.5+07:00",
    "2026-11-22 10:15:04", "2026-11-22T10:15:04-1130", "2026-12-31T23:59:59.999999-12:00", "2024-02-29T00:00:00+14:00",
    "2026-02-29T00:00:00Z", "2026-01-01T00:00:00+23:59", "2026-11-22T10:15:04,5Z", "2026-11-22T10:15:04+07",
    "2026-11-22T10:15:04+24:00", "2026-3-1T10:15:04Z", "1999-11-22T10:15:04Z", "Nov 22 10:15:04 UTC",
    "Nov 22 10:15:04+07:00", "Nov 22 10:15:04 PM", "Nov 22 10:15:04 pm", "*Nov 22 10:15:04", "-",
    "Sun Nov 22 10:15:04", "November 22 10:15:04", "1795316400.774247467", "2026/11/22 10:15:04", "Nov 22 10:15", "",
    "2026-03-29 02:30:00", "Mar  8 02:30:00", "Nov  1 01:30:00", "Nov  1 01:30:00.5", "Apr  5 01:45:00",
    "Nov 22 2026 10:15:04.25",
]  # fmt: skip
GAPS = [" ", " ", " ", " ", " ", "  ", ": ", ":", "", "\t", " : ", "\u00a0"]
HOSTS = [
    "web1", "DC-FW-01", "HQ", "FW.x", "ZBX", "10.0.0.1", "10.0.0.1:", "2001:db8::1", "203.0.113.1", "203.0.113.1:",
    "20.1.2.3", "209.1.2", "200.1.2.x", "h" * 255, "h" * 256, "INFO", "alarm", "a=b", "Message", "host:", "sw1:", "(x",
    "[x]", "%X", "|", "20x", "In(14)", "UTC-x", "GMTx", "am", "PM-1", "2026", "8021", "Message forwarded from h2:",
    "mail.info", "local3.notice", "1,024", "CEF:0|V|P|1|2|two", "LEEF:1.0|V",
    "nhà", "-", "_x", "pm_1", "", "h[1]:", "ab(c", "+07", "ICT:", "Mar", "RP/0/RP0/CPU0:x",
]  # fmt: skip
TAGS = [
    "su: ", "su[12]: ", "su[12]:", "su[]: ", "su[-]: ", "su[1 2]: ", "su[12]x: ", "/usr/sbin/cron[7]: ", "a/: ",
    "INFO: ", "err: ", "notice mcpd[65]: ", "info words ", "CEF:0|V|", "CEF: 0|V|", "LEEF:1.0|", "LEEF: 1",
    "#KV-5-x: ", "gdm-password]: ", "%X: ", "polkitd(authority=local)[700]: ", "1,2026/11/22 03:20:00,016", "12: ",
    "1234,5", "%LINK-3-UPDOWN: ", ": %ASA-6-302013: ", "local3.notice: sw1: ", "auth.info x: ",
    "cron:info x: ", "auth|security:info x: ", "ICT: %S-5-X: ",
    "Ebra: %LINK-3-X: ", "sw1: Nov 22 10:00:00: %SYS-5-X: ", '{"a": 1} ', "29: ", "*Task: ", "RP/0/RP0/CPU0:x",
    "Nov 22 10:00:01 ", "2026-11-22T10:00:00Z ", "Marvin: ", "t" * 64 + ": ", "t" * 65 + ": ", "t[" + "1" * 64 + "]: ",
    "t[" + "1" * 65 + "]: ", "t[12345678901]: ", "t[0012]: ", "In(14) x: ", "date=2026-11-22 ", "tạg: ", "",
    "a[b]: %X-1-Y: ", "!2026-11-22T10:00:00: %SYS-5-X: ", "SC0/1/x:2026-11-22T10:00:00: %SYS-5-X: ", "a:b: %SYS-5-X: ",
    "word ",
]  # fmt: skip
TEXTS = [
    "hello", "", " hello", "<1>x", "<info> x", "<a", "<٣>x", "\ufeffAn event", "  \ufeff x",
    "[ID 800047 auth.info] Accepted", "[ID x", "đăng nhập: %X", "x: %SYS-5-X: y", "%SYS-5-X: y", "x" * 170 + ": %Y",
    "đ" * 100 + ": %Y", "Nov 22 10:00:01 a", "12", "a\nb\x00c", "forwarded from x: y",
    "<14>Nov 22 10:00:00 h2 su: inner", "<1>1 - - - - - - x", '[a b="c"] x', "²", "(1) x", " - x", "::",
]  # fmt: skip
COUNTS = [
    "", "", "29: ", "000025: ", "29:  ", "1234567890: ", "12345678901: ", "sw1: ", "10.0.0.1: ", "a:b::c: ", ": ", ":",
    "s" * 64 + ": ", "s" * 65 + ": ", "*Task: ", "1w2d: ", "May: ", "29:", "sw1 : ", "RP/0/RP0/CPU0:", "00:01:01: ",
    "12 34: ",
]  # fmt: skip
ENDS = [
    ": ",
    " ICT: ",
    " UTC: ",
    " XYZ: ",
    " CET:",
    " WET:  ",
    ":",
    " ",
    " MESTX: ",
    " +07:00: ",
    " PM: ",
    " ICT 2026: ",
    "Z: ",
]
MARKS = [
    "%SYS-5-X: a", "%SYS-5-X", "%SYS-5-X %SYS-5-Y: a", "%SYS-9-X: a", "%S-SSHD-6-X : a", "sw1 %SYS-5-X: a",
    "sw1: %SYS-5-X: a", "%SYS-5-X: %SYS-5-Y: a", "%s-5-X: a", "R0/0: x: %SYS-5-X: a", "",
]  # fmt: skip
WORDS = [
    "-",
    "-",
    "app",
    "812",
    "ID47",
    "x" * 64,
    "x" * 65,
    "x" * 129,
    "a=b",
    "đ",
    "\x1c",
    "12345678901",
    "0",
    "a/b",
    "a/",
]
STRUCTURED = [
    "-", '[a b="c"]', "[a]", "[a ]", '[a b="c" ]', '[a b="c"][d e="f"]', '[a b="\\"]"]', '[a b="\\\\"]', '[a b="c]',
    "[a", "[]", "[ ]", "[a b=c]", '[a  b="c"]', '[a b="đ\\đ"]', '[ạ b="c"]', '[a "b"="c"]', '[[a b="c"]', '[a b="c"]x',
    '[a b="c\n"]', "x", "[a;b]", "", '[action:"Drop"; x:"y"]', '[a b="' + "\\" * 9,
]  # fmt: skip
NOISE = [*' :[]<>{}"=,%|(.-/*1290aZ+#\\\t\n\x1c\x85\ufeff٣đM', "  ", ": %", "20", "Nov ", " 2026 ", "AM ", "UTC "]
ZONES: list[tzinfo] = [
    ZONE, UTC, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe"), timezone(timedelta(hours=-12)),
    timezone(timedelta(hours=5, minutes=45)),
]  # fmt: skip
MOMENTS = [
    RECEIVED, datetime(2026, 12, 31, 16, 59, 59, tzinfo=UTC), datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2027, 1, 1, 0, 30, tzinfo=UTC), datetime(2026, 11, 21, 3, 15, 4, 200000, tzinfo=UTC),
    datetime(2026, 11, 21, 3, 15, 5, tzinfo=UTC), datetime(2025, 11, 22, 3, 15, 4, tzinfo=UTC),
    datetime(2028, 3, 1, tzinfo=UTC), datetime(2027, 11, 21, 3, 15, 4, tzinfo=UTC),
    datetime(2026, 11, 1, 6, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))),
]  # fmt: skip

of = st.sampled_from
rfc3164 = st.tuples(of(PRIORITIES), of(STAMPS), of(GAPS), of(HOSTS), of(GAPS), of(TAGS), of(TEXTS)).map("".join)
rfc5424 = st.tuples(
    of(PRIORITIES).map(lambda priority: priority + "1"), of(STAMPS), of(HOSTS), of(WORDS), of(WORDS), of(WORDS),
    of(STRUCTURED), of(TEXTS),
).map(" ".join)  # fmt: skip
damages = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), of(NOISE) | st.just("")), max_size=3)
cisco = st.tuples(
    of(PRIORITIES),
    of(COUNTS),
    of(COUNTS),
    of(COUNTS),
    of(["", "*", ".", "!", "2026 "]),
    of(STAMPS),
    of(ENDS),
    of(MARKS),
).map("".join)
any_header = rfc3164 | cisco | rfc5424 | of(LINES)


@pytest.mark.parametrize("line", ORDINARY)
def test_an_ordinary_header_is_read_fast(line: str) -> None:
    assert ordinary_header(line, RECEIVED, ZONE) is not None
    _agree(line)


def test_most_lines_of_the_cases_are_read_fast_and_alike() -> None:
    assert sum(_agree(line) for line in LINES) > 0.8 * len(LINES)


def test_a_damaged_line_of_the_cases_is_read_alike() -> None:
    """Each with a piece near its beginning gone, doubled or replaced. Seeded."""
    chance = random.Random("header")
    for line in LINES:
        for _ in range(DAMAGES):
            start = chance.randrange(min(len(line), 90))
            _agree(line[:start] + chance.choice(NOISE) + line[start + chance.randrange(3) :])


@settings(max_examples=400, deadline=None)
@given(text=any_header, damage=damages, received=of(MOMENTS), zone=of(ZONES))
def test_a_header_of_any_shape_is_read_alike(
    text: str, damage: list[tuple[float, int, str]], received: datetime, zone: tzinfo
) -> None:
    for place, length, other in damage:
        start = int(place * min(len(text), 120))
        text = text[:start] + other + text[start + length :]
    _agree(text, received, zone)


@settings(max_examples=150, deadline=None)
@given(when=st.datetimes(datetime(2025, 10, 1), datetime(2028, 4, 1)), zone=of(ZONES), apart=st.integers(-800, 800))
def test_the_year_that_a_line_leaves_out_is_the_same(when: datetime, zone: tzinfo, apart: int) -> None:
    received = when.replace(tzinfo=UTC) + timedelta(hours=apart * 11)
    for fraction in ("", ".000001", ".999999"):
        _agree(f"<34>{when:%b} {when.day:2} {when:%H:%M:%S}{fraction} h su: x", received, zone)


def test_half_of_a_surrogate_pair_is_left_to_the_patterns() -> None:
    assert ordinary_header("<34>Nov 22 10:15:04 h su: \ud800", RECEIVED, ZONE) is None
    _agree("<34>Nov 22 10:15:04 h su: \ud800")


def _agree(text: str, received: datetime = RECEIVED, zone: tzinfo = ZONE) -> bool:
    """Fails unless both ways say the same, fields in the same order; whether the fast way said anything."""
    slow = header_by_patterns(text, received, zone)
    fast = ordinary_header(text, received, zone)
    found = header_of(text, received=received, zone=zone)
    assert type(found) is Header and found == slow, text
    if fast is not None:
        assert fast == slow and _told(fast) == _told(slow), text
    return fast is not None


def _told(header: Header) -> list[tuple[str, object, type]]:
    assert header.when is None or header.when.tzinfo is UTC
    return [(name, value, type(value)) for name, value in header.fields.items()]
