"""The HTML report: Vietnamese first, problems first, one file, and whatever a machine printed is only text."""

from __future__ import annotations

import re
from html import unescape

from compliance import results
from compliance.report import html
from tests.unit.compliance.test_evidence import SSH, TELNET, observed, run_of

HOSTILE = "<script>alert(1)</script><b>x</b>"


def page(hh_pc1: str, error: str = "") -> str:
    run = run_of("20261122T030000Z-aaaaaa", observed("core1", SSH), observed("hh-pc1", hh_pc1, error))
    return html(results(run), "ab" * 32)


def test_it_says_in_both_languages_which_asset_and_why() -> None:
    text = unescape(page(SSH + TELNET))
    assert text.index("Chỉ dịch vụ đã khai báo mới mở cổng") < text.index("Only declared services listen")
    assert text.index("thừa: tcp/23") < text.index("extra: tcp/23")
    assert "hh-pc1" in text
    assert "5.5.2.1.c" in text


def test_what_a_machine_prints_stays_text() -> None:
    text = page("", error=HOSTILE)
    assert "&lt;script&gt;" in text
    assert "<script" not in text
    assert "<b>x" not in text


def test_it_needs_nothing_from_elsewhere() -> None:
    assert not re.search(r"(src|href)\s*=|url\(|@import", page(SSH))


def test_it_ends_with_the_head_of_the_chain() -> None:
    assert "ab" * 32 in page(SSH)
