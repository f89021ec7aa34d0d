"""What rules may name: derived from the inventory, and kept by hand in lists."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from ipaddress import ip_address

import pytest

from inventory.lists import NamedList, known_lists
from inventory.model import Province
from soc.placeholders import NOBODY, of
from soc.sigma.expand import ExpandError, expanded
from tests.unit.soc.engine_support import lab


def with_list(province: Province, name: str, *values: str) -> Province:
    made = NamedList(name=name, values=values, checked=date(2026, 11, 1), owner="x", reason="y")
    return replace(province, lists={name: made})


def test_the_lab_has_a_value_for_every_name() -> None:
    values = of(lab())
    assert set(known_lists()) <= set(values)
    assert [name for name, found in values.items() if not found] == []


def test_equal_inventories_give_equal_values() -> None:
    values = of(lab())
    assert values == of(lab())
    assert all(list(found) == sorted(set(found)) for found in values.values())


def test_a_missing_list_is_empty_and_a_rule_that_needs_its_absence_is_refused() -> None:
    values = of(replace(lab(), lists={}))
    assert values["scanners"] == ()
    rule = {"detection": {"scan": {"source.ip|expand": "%scanners%"}, "condition": "not scan"}}
    with pytest.raises(ExpandError, match="%scanners% has no value"):
        expanded(rule, values)


def test_a_list_said_to_be_empty_never_matches_and_excepts_nobody() -> None:
    values = of(with_list(lab(), "scanners"))
    assert values["scanners"] == NOBODY
    rule = {"detection": {"own": {"source.ip|cidr|expand": "%scanners%"}, "condition": "not own"}}
    assert expanded(rule, values)["detection"]["own"] == {"source.ip|re": r"[^\s\S]"}
    mixed = {"detection": {"own": {"source.ip|expand": ["%scanners%", "%hosts%"]}, "condition": "not own"}}
    filled = expanded(mixed, {**values, "hosts": ("10.0.0.1",)})
    assert filled["detection"]["own"] == {"source.ip": ["10.0.0.1"]}


def test_a_list_adds_to_what_is_derived() -> None:
    before = of(replace(lab(), lists={}))["routing_peers"]
    after = of(with_list(lab(), "routing_peers", "192.0.2.9"))["routing_peers"]
    assert set(after) - set(before) == {"192.0.2.9"}


def test_accounts_of_lists_are_known_accounts() -> None:
    assert "minh" in of(with_list(lab(), "admin_accounts", "minh"))["known_accounts"]


def test_gateways_are_the_routers_ends_of_segments() -> None:
    province = lab()
    gateways = [ip_address(text) for text in of(province)["gateway_ips"]]
    assert {province.device_by_address[a].name for a in gateways} == {"dc-fw1", "hh-ce1", "stc-ce1", "tx-ce1"}
    assert all(any(a in s.prefix for s in province.segments.values() if s.name != "mgmt") for a in gateways)


def test_an_address_after_cidr_is_a_network_of_one() -> None:
    rule = {"detection": {"a": {"source.ip|cidr|expand": "%hosts%"}, "condition": "a"}}
    filled = expanded(rule, {"hosts": ("10.0.0.1", "fd00::1", "10.1.0.0/16")})
    assert filled["detection"]["a"] == {"source.ip|cidr": ["10.0.0.1/32", "fd00::1/128", "10.1.0.0/16"]}


def test_an_unknown_name_is_told_the_one_that_was_meant() -> None:
    rule = {"detection": {"a": {"user.name|expand": "%service_acounts%"}, "condition": "a"}}
    with pytest.raises(ExpandError, match=r"did you mean %service_accounts%"):
        expanded(rule, of(lab()))
