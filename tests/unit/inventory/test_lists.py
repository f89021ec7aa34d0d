"""Lists a province keeps by hand: what they may hold, and who is told that one rots."""

from __future__ import annotations

from datetime import date
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canh.cli import main
from inventory import load, remarks
from inventory.lists import ListKind, known_lists, value_of

LIST = "lists:\n  scanners: {values: [10.64.0.99], checked: 2026-11-01, owner: An ninh, reason: weekly}\n"


def test_a_province_without_lists_has_none(demo: Path) -> None:
    (demo / "lists.yaml").unlink()
    province = load(demo)
    assert province.lists == {}
    assert province.listed("scanners") == ()


def test_a_list_says_what_it_holds_and_whose_it_is(demo: Path) -> None:
    (demo / "lists.yaml").write_text(LIST, "utf-8")
    scanners = load(demo).lists["scanners"]
    assert (scanners.values, scanners.owner, scanners.reason) == (("10.64.0.99",), "An ninh", "weekly")
    assert scanners.checked == date(2026, 11, 1)


def test_a_list_nobody_checked_for_thirty_days_is_remarked_on_and_still_loads(demo: Path) -> None:
    (demo / "lists.yaml").write_text(LIST, "utf-8")
    assert remarks(demo, date(2026, 12, 1)) == []
    (remark,) = remarks(demo, date(2026, 12, 2))
    assert remark.what == 'the list "scanners" was last checked 31 days ago'
    assert remark.where.endswith("lists.yaml:2")
    assert "An ninh" in remark.fix
    assert load(demo).listed("scanners")


def test_a_list_checked_in_the_future_is_remarked_on(demo: Path) -> None:
    (demo / "lists.yaml").write_text(LIST, "utf-8")
    assert "still to come" in remarks(demo, date(2026, 10, 31))[0].what


def test_validate_tells_remarks_to_people_and_exits_0(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (demo / "lists.yaml").write_text(LIST.replace("2026-11-01", "2020-01-01"), "utf-8")
    assert main(["--province", str(demo), "validate", "--json"]) == 0
    out, err = capsys.readouterr()
    assert out.strip() == "[]"
    assert 'remark: the list "scanners"' in err


def test_every_list_says_what_it_is_for() -> None:
    assert all(entry.about for entry in known_lists().values())


@given(st.binary(min_size=6, max_size=6))
def test_a_hardware_address_has_one_form_and_the_others_are_told_it(octets: bytes) -> None:
    ecs = octets.hex("-").upper()
    assert value_of(ListKind.MAC, ecs) == ecs
    for other in (octets.hex(":"), octets.hex()):
        with pytest.raises(ValueError, match=ecs):
            value_of(ListKind.MAC, other)


@given(st.ip_addresses())
def test_addresses_and_prefixes_stand_in_their_canonical_form(address: object) -> None:
    read = value_of(ListKind.ADDRESS, str(address))
    assert ip_address(read) == address
    assert ip_network(value_of(ListKind.PREFIX, read)).num_addresses == 1


@given(st.text())
def test_no_value_can_be_a_pattern(text: str) -> None:
    try:
        read = value_of(ListKind.ACCOUNT, text)
    except ValueError as error:
        assert ": " in str(error)
        return
    assert read == text
    assert not set(read) & set("*?%")


def test_a_year_without_holidays_is_remarked_on(demo: Path) -> None:
    (demo / "lists.yaml").unlink()
    assert remarks(demo, date(2026, 12, 31)) == []
    (remark,) = remarks(demo, date(2028, 1, 1))
    assert remark.what == "the calendar has no holiday of 2028"
    assert remark.where.endswith("province.yaml:23")
