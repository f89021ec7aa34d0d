"""The header: every form of RFC 5424 and RFC 3164 we know of, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from monitoring.syslog import Header, header_of

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
RECEIVED = datetime(2026, 11, 22, 3, 20, tzinfo=UTC)


def header(text: str, received: datetime = RECEIVED) -> Header:
    return header_of(text, received=received, zone=ZONE)


def test_rfc5424_with_structured_data() -> None:
    found = header(
        "<165>1 2026-11-22T10:15:04.003-07:00 host.example evntslog 8710 ID47 "
        '[ex@32473 iut="3" a="x\\"]\\\\"][b c="d"] \ufeffAn event'
    )
    assert found.message == "An event"
    assert found.when == datetime(2026, 11, 22, 17, 15, 4, 3000, tzinfo=UTC)
    assert found.zone_from == "line"
    assert found.app_name == "evntslog"
    assert found.fields["log.syslog.structured_data"] == '[ex@32473 iut="3" a="x\\"]\\\\"][b c="d"]'
    assert found.fields["log.syslog.facility.code"] == 20
    assert found.fields["log.syslog.severity.name"] == "notice"
    assert found.fields["log.syslog.msgid"] == "ID47"
    assert found.fields["process.pid"] == 8710


def test_a_program_of_rfc5424_is_the_end_of_its_path() -> None:
    found = header("<22>1 2026-11-22T03:15:04Z mx1 postfix/smtpd 811 - - hello")
    assert (found.app_name, found.fields["process.name"]) == ("postfix/smtpd", "smtpd")


def test_rfc5424_with_nothing_but_dashes() -> None:
    found = header("<13>1 - - - - - -")
    assert found.is_syslog
    assert (found.when, found.message, found.app_name) == (None, "", "")


# (line, moment in UTC, host, tag, message)
FORMS = [
    ("<34>Nov 22 10:15:04 web1 su: hello", "2026-11-22T03:15:04", "web1", "su", "hello"),
    ("<34>Nov  2 10:15:04 web1 su[12]: hello", "2026-11-02T03:15:04", "web1", "su", "hello"),
    ("<34> Nov 22 10:15:04 web1 su: hello", "2026-11-22T03:15:04", "web1", "su", "hello"),
    ("<034>Nov 22 10:15:04 web1 su: hello", "2026-11-22T03:15:04", "web1", "su", "hello"),
    ("Nov 22 10:15:04 web1 su: hello", "2026-11-22T03:15:04", "web1", "su", "hello"),
    ("<34>Nov 22 2026 10:15:04 web1 su: hello", "2026-11-22T03:15:04", "web1", "su", "hello"),
    ("<34>Nov 22 10:15:04 2025 web1 su: hello", "2025-11-22T03:15:04", "web1", "su", "hello"),
    ("<34>Nov 22 10:15:04.250 web1 su: hello", "2026-11-22T03:15:04.250", "web1", "su", "hello"),
    ("<34>Nov 22 03:15:04 UTC web1 su: hello", "2026-11-22T03:15:04", "web1", "su", "hello"),
    ("<34>Nov 22 10:15:04+07:00 web1 su: hello", "2026-11-22T03:15:04", "web1", "su", "hello"),
    ("<34>2026-11-22T10:15:04+07:00 web1 su: hello", "2026-11-22T03:15:04", "web1", "su", "hello"),
    ("<34>2026-11-22T03:15:04.5Z web1 su: hello", "2026-11-22T03:15:04.5", "web1", "su", "hello"),
    ("<14>2026-11-22T03:15Z web1 su: hello", "2026-11-22T03:15:00", "web1", "su", "hello"),  # to the minute
    ("<34>2026-11-22 10:15:04 web1 su: hello", "2026-11-22T03:15:04", "web1", "su", "hello"),
    ("<34>Nov 22 10:15:04 su[12]: hello", "2026-11-22T03:15:04", None, "su", "hello"),
    ("<34>Nov 22 10:15:04 web1 /usr/sbin/cron[7]: hello", "2026-11-22T03:15:04", "web1", "/usr/sbin/cron", "hello"),
    ("<34>Nov 22 10:15:04 2001:db8::1 su: hello", "2026-11-22T03:15:04", "2001:db8::1", "su", "hello"),
    ("<34>Nov 22 10:15:04 web1 just words", "2026-11-22T03:15:04", "web1", "", "just words"),
    ("<34> 11/22/2026:10:15:04 GMT ns1 x : y", "2026-11-22T10:15:04", "ns1", "", "x : y"),  # NetScaler
    ("<34>Nov 22 10:15:04 web1 CEF: 0|V|P|1|2|n|3|a=b", "2026-11-22T03:15:04", "web1", "", "CEF: 0|V|P|1|2|n|3|a=b"),
    ("<34>Nov 22 10:15:04 CEF:0|V|P|1|2|n|3|a=b", "2026-11-22T03:15:04", None, "", "CEF:0|V|P|1|2|n|3|a=b"),
    ("11-22-2026 10:15:04\tLocal4.Info\t192.0.2.1\t%ASA-6-1: x", "2026-11-22T03:15:04", "192.0.2.1", "", "%ASA-6-1: x"),
    ("2025-11-22 10:15:09 Local3.Info 192.0.2.1 Nov 22 10:15:04 sw1 a: b", "2025-11-22T03:15:04", "sw1", "a", "b"),
    (
        "<34>Nov 22 10:15:04 1,2026/11/22 10:15:04,7,SYSTEM",
        "2026-11-22T03:15:04",
        None,
        "",
        "1,2026/11/22 10:15:04,7,SYSTEM",
    ),
    ("<34>Nov 22 10:15:04 LEEF:1.0|V|P|1|2|a=b", "2026-11-22T03:15:04", None, "", "LEEF:1.0|V|P|1|2|a=b"),
    ("<34>NOV 22 10:15:04 web1 su: hello", "2026-11-22T03:15:04", "web1", "su", "hello"),
    ("<34>1  2026-11-22T03:15:04Z web1 su - - - hello", "2026-11-22T03:15:04", "web1", "su", "hello"),  # Claroty
    ("<34>Nov 22 10:15:04 b1 notice mcpd[65]: hello", "2026-11-22T03:15:04", "b1", "mcpd", "hello"),  # BIG-IP
    (" Nov 22 10:15:04 web1 su: hello", "2026-11-22T03:15:04", "web1", "su", "hello"),  # a priority was taken off
    ("1 2026-11-22T10:15:04+07:00 gw1 some words", "2026-11-22T03:15:04", "gw1", "", "some words"),
    ("[22/Nov/2026:10:15:04 +0700] Attempt to enter", "2026-11-22T03:15:04", None, "", "Attempt to enter"),
    ("2026-11-22 10:15:04 Warn Server: hello", "2026-11-22T03:15:04", None, "", "Warn Server: hello"),
    ("Sun Nov 22 10:15:04 2026 -> hello", "2026-11-22T03:15:04", None, "", "-> hello"),
    ('"Nov 22 10:15:04 web1 su: say ""hello"""', "2026-11-22T03:15:04", "web1", "su", 'say "hello"'),
    ("<34>su: hello", None, None, "su", "hello"),
    ("<34>hello", None, None, "", "hello"),
    ("<999>Nov 22 10:15:04 web1 su: hello", "2026-11-22T03:15:04", "web1", "su", "hello"),
]


@pytest.mark.parametrize(("line", "moment", "host", "tag", "message"), FORMS, ids=[form[0] for form in FORMS])
def test_forms_of_rfc3164(line: str, moment: str | None, host: str | None, tag: str, message: str) -> None:
    found = header(line)
    assert found.is_syslog
    assert found.when == (None if moment is None else datetime.fromisoformat(moment).replace(tzinfo=UTC))
    assert found.fields.get("log.syslog.hostname") == host
    assert (found.app_name, found.message) == (tag, message)


@pytest.mark.parametrize("line", ["", " ", "hello", "{}", "<>", "<abc>x", "\x00", "Nov", "2026"])
def test_what_is_no_header_is_all_message(line: str) -> None:
    found = header(line)
    assert not found.is_syslog
    assert found.message == line.lstrip(" ")
    assert found.fields == {}


# Received, what the line says, the year meant.
YEARS = [
    ("2026-12-31T16:59:00", "Dec 31 23:58:00", "2026-12-31T16:58:00"),
    ("2026-12-31T17:10:00", "Dec 31 23:58:00", "2026-12-31T16:58:00"),  # already next year here
    ("2026-12-31T16:58:00", "Jan  1 00:00:30", "2026-12-31T17:00:30"),  # its clock is ahead of midnight
    ("2027-01-01T00:00:00", "Feb 29 12:00:00", "2024-02-29T05:00:00"),
    ("2028-03-01T00:00:00", "Feb 29 12:00:00", "2028-02-29T05:00:00"),
]


@pytest.mark.parametrize(("received", "written", "moment"), YEARS)
def test_a_missing_year_is_the_nearest(received: str, written: str, moment: str) -> None:
    found = header(f"<34>{written} web1 su: x", datetime.fromisoformat(received).replace(tzinfo=UTC))
    assert found.when == datetime.fromisoformat(moment).replace(tzinfo=UTC)


def test_a_date_that_does_not_exist_is_no_time() -> None:
    assert header("<34>Feb 31 10:00:00 web1 su: x").when is None
    assert header("<34>1 2026-02-31T10:00:00Z web1 su - - - x").when is None


def test_the_zone_is_said_to_be_from_the_inventory_when_the_line_has_none() -> None:
    assert header("<34>Nov 22 10:15:04 web1 su: x").zone_from == "inventory"
    assert header("<34>Nov 22 10:15:04+0700 web1 su: x").zone_from == "line"


# Of Cisco's kind: (line, moment in UTC, host, tag, sequence, the beginning of the message)
CISCO = [
    ("<189>68: 00:01:01: %SYS-5-X: a", None, None, "", 68, "%SYS"),
    ("<189>67: 1w2d: %SYS-5-X: a", None, None, "", 67, "%SYS"),
    ("<189>67: *1d03h: %SYS-5-X: a", None, None, "", 67, "%SYS"),
    ("<189>67: sw1: 1y12w: %SYS-5-X: a", None, "sw1", "", 67, "%SYS"),
    ("00:00:46: %LINK-3-UPDOWN: a", None, None, "", None, "%LINK"),
    ("<187>12: %LINK-3-UPDOWN: a", None, None, "", 12, "%LINK"),
    ("<187>%LINK-3-UPDOWN: a", None, None, "", None, "%LINK"),
    ("<189>: 2026 Nov 22 10:00:00 ICT: %VSHD-5-X: a", "2026-11-22T03:00:00", None, "", None, "%VSHD"),
    ("<189>: 2026 Nov 22 10:00:00.5 UTC: %VSHD-5-X: a", "2026-11-22T10:00:00.5", None, "", None, "%VSHD"),
    ("<189>2026 Nov 22 10:00:00 nx1 %ETHPORT-5-IF_UP: a", "2026-11-22T03:00:00", "nx1", "", None, "%ETHPORT"),
    ("<166>:Nov 22 10:00:00 UTC: %ASA-6-302010: a", "2026-11-22T10:00:00", None, "", None, "%ASA"),
    ("<189>29: sw1: 000025: *Nov 22 10:00:00.123: %SYS-5-X: a", "2026-11-22T03:00:00.123", "sw1", "", 25, "%SYS"),
    ("<189>29: 10.0.0.1: 25: .Nov 22 10:00:00 ICT: %SYS-5-X: a", "2026-11-22T03:00:00", "10.0.0.1", "", 25, "%SYS"),
    ("<189>29: 000025: Nov 22 2026 10:00:00 ICT: %SYS-5-X: a", "2026-11-22T03:00:00", None, "", 25, "%SYS"),
    (
        "<190>1: RP/0/RP0/CPU0:Nov 22 10:00:00 UTC: SSHD_[9]: %S-SSHD-6-X : a",
        "2026-11-22T10:00:00",
        None,
        "SSHD_",
        1,
        "%S",
    ),
    (
        "<190>1: xr1 RP/0/RSP0/CPU0:Nov 22 10:00:00 : ifmgr[2]: %P-L-3-U : a",
        "2026-11-22T03:00:00",
        "xr1",
        "ifmgr",
        1,
        "%P",
    ),
    (
        "RP/0/RP0/CPU0:xr1:Nov 22 10:00:00 UTC: config[6]: %M-C-6-D : a",
        "2026-11-22T10:00:00",
        "xr1",
        "config",
        None,
        "%M",
    ),
    ("Nov 22 09:13:00 r1 82: Nov 22 10:12:56.872: %SYS-5-X: a", "2026-11-22T03:12:56.872", "r1", "", 82, "%SYS"),
    ("Nov 22 09:13:00 r1 82: %SYS-5-X: a", "2026-11-22T02:13:00", "r1", "", 82, "%SYS"),
    (
        "Nov 22 09:13:00 10.0.0.7 29: sw1: Nov 22 10:00:00 ICT: %SYS-5-X: a",
        "2026-11-22T03:00:00",
        "sw1",
        "",
        29,
        "%SYS",
    ),
    ("<23> Nov 22 10:00:00  sw1 %SYS-5-X: a", "2026-11-22T03:00:00", "sw1", "", None, "%SYS"),
    (
        "Nov 22 09:00:00 r1 local3.notice: sw1: 2026 Nov 22 10:00:00.6 UTC: %S-5-X: a",
        "2026-11-22T10:00:00.6",
        "r1",
        "",
        None,
        "%S",
    ),
    ("2026-11-22T09:00:00+07:00 r1 : 2026 Nov 22 10:00:00 UTC: %S-5-X: a", "2026-11-22T10:00:00", "r1", "", None, "%S"),
    ("Nov 22 10:00:00.1 sw1 CET: %S-5-X: a", "2026-11-22T03:00:00.1", "sw1", "", None, "%S"),
    ("<189>8103: Nov 14 2026 05:50:19 PM.484 UTC :  %UC-5-X: a", "2026-11-14T17:50:19.484", None, "", 8103, "%UC"),
    ("<132>wlc1: *spamTask0: Nov 22 10:00:00.1: %CAPWAP-3-X: a", "2026-11-22T03:00:00.1", "wlc1", "", None, "%CAPWAP"),
    ("<132>wlc1: *spamTask0: Nov 22 10:00:00.1: #DOT1X-3-X: a", "2026-11-22T03:00:00.1", "wlc1", "", None, "#DOT1X"),
    ("*apfTask_0: Nov 22 10:00:00.1: %APF-3-X: a", "2026-11-22T03:00:00.1", None, "", None, "%APF"),
    ("<189>Nov 22 10:00:00 sw1: %LINK-3-UPDOWN: a", "2026-11-22T03:00:00", "sw1", "", None, "%LINK"),
    ("<189>Nov 22 10:00:00 eos1 Ebra: %LINK-3-UPDOWN: a", "2026-11-22T03:00:00", "eos1", "Ebra", None, "%LINK"),
    ("<166>2026-11-22T10:00:00Z ftd1 : %FTD-6-302014: a", "2026-11-22T10:00:00", "ftd1", "", None, "%FTD"),
    ("Nov 22 10:00:00 2026-11-22T09:00:00Z ftd1 %FTD-6-302014: a", "2026-11-22T09:00:00", "ftd1", "", None, "%FTD"),
    ("<189>2: R1: Switch 1 R0/0: sessmgrd: %AUTHMGR-5-START: a", None, "R1", "", 2, "%AUTHMGR"),
]


@pytest.mark.parametrize(
    ("line", "moment", "host", "tag", "sequence", "message"), CISCO, ids=[form[0] for form in CISCO]
)
def test_what_cisco_puts_before_a_message(
    line: str, moment: str | None, host: str | None, tag: str, sequence: int | None, message: str
) -> None:
    found = header(line)
    assert found.when == (None if moment is None else datetime.fromisoformat(moment).replace(tzinfo=UTC))
    assert (found.fields.get("log.syslog.hostname"), found.app_name) == (host, tag)
    assert found.fields.get("event.sequence") == sequence
    assert found.message.startswith(message)


def test_what_other_unixes_put_before_a_message_is_no_part_of_it() -> None:
    zone, received = UTC, datetime(2026, 11, 22, 4, tzinfo=UTC)
    solaris = header_of(
        "<38>Nov 22 03:15:04 sol1 sshd[811]: [ID 800047 auth.info] Accepted", received=received, zone=zone
    )
    assert (solaris.message, solaris.fields["log.syslog.msgid"]) == ("Accepted", "800047")
    aix = header_of(
        "<38>Nov 22 03:15:04 Message forwarded from aix1: sshd[811]: Accepted", received=received, zone=zone
    )
    assert (aix.message, aix.app_name, aix.fields["log.syslog.hostname"]) == ("Accepted", "sshd", "aix1")


@pytest.mark.parametrize(
    ("tag", "app"), [("gdm-password]", "gdm-password"), ("polkitd(authority=local)[700]", "polkitd")]
)
def test_a_program_is_found_in_a_tag_that_is_odd(tag: str, app: str) -> None:
    header = header_of(f"<86>Nov 22 03:15:04 h {tag}: text", received=datetime(2026, 11, 22, 4, tzinfo=UTC), zone=UTC)
    assert (header.app_name, header.message) == (app, "text")


@pytest.mark.parametrize(
    ("line", "host", "app"),
    [
        ("Sun Nov 22 03:15:04 2026 authpriv.info dropbear[123]: Child connection", None, "dropbear"),
        ("Sun Nov 22 03:15:04 2026 daemon.info : Child connection", None, ""),
        ("mail_1  | Nov 22 03:15:04 mail dovecot: Child connection", "mail", "dovecot"),
    ],
)
def test_words_of_openwrt_and_of_docker_compose_are_no_host(line: str, host: str | None, app: str) -> None:
    header = header_of(line, received=datetime(2026, 11, 22, 4, tzinfo=UTC), zone=UTC)
    assert (header.fields.get("log.syslog.hostname"), header.app_name) == (host, app)
    assert header.message == "Child connection"
    assert header.when == datetime(2026, 11, 22, 3, 15, 4, tzinfo=UTC)
