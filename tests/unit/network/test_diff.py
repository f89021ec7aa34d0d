"""The laws of the diff, on configurations nobody wrote, and the cases of every platform."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from network.diff import diff, touched_sections
from network.errors import ConfigError
from network.platform import FOLDER, Platform, load_platform
from network.tree import Node, Tree, applied, canonical, lines_of, parse

OTHER = load_platform("ordered", Path(__file__).parent / "platforms")  # what FRR has no example of
FRR = load_platform("frr")
CASES = sorted(p.parent for p in FOLDER.glob("*/tests/*/running.conf"))

OSPF_LINES = st.sampled_from(
    [
        *(f"ip ospf cost {n}" for n in (1, 10, 100)),
        "ip ospf area 0",
        "ip ospf area 1",
        "ip ospf passive",
        "ip ospf network point-to-point",
        "ip ospf message-digest-key 1 md5 secret",
        "description to core1",
        "description to core2, no 2",
        "no link-detect",
    ]
)
BGP_LINES = st.sampled_from(
    [
        *(f"neighbor 10.250.1.{n} remote-as {n}{m}" for n in (1, 2) for m in (1, 2)),
        *(f"neighbor 10.250.1.{n} password p{n}" for n in (1, 2)),
        "neighbor 10.250.1.11 description not 10.250.1.1",
        "no bgp ebgp-requires-policy",
        "bgp router-id 10.250.0.1",
    ]
)
AF_LINES = st.sampled_from(
    [f"neighbor 10.250.1.{n} soft-reconfiguration inbound" for n in (1, 2)] + ["network 10.250.0.0/16"]
)
TOP_LINES = st.sampled_from(
    [
        "hostname core1",
        "hostname core2",
        "password foo",
        "log syslog informational",
        "log syslog notifications",
        "log commands",
        "ip route 10.250.9.0/24 blackhole",
        "no ip nht resolve-via-default",
        "ip nht resolve-via-default",
        *(f"ip prefix-list P seq {n} permit 1{m}.0.0.0/8" for n in (5, 10) for m in (0, 1)),
    ]
)


@st.composite
def frr_trees(draw: st.DrawFn) -> Tree:
    """A tree as `parse` gives it: any lines, any sections, in any order."""
    lines = draw(st.lists(TOP_LINES, unique=True))
    for name in draw(st.lists(st.sampled_from(["eth1", "eth2", "lo"]), unique=True)):
        lines += [f"interface {name}", *(f" {x}" for x in draw(st.lists(OSPF_LINES))), "exit"]
    if draw(st.booleans()):
        lines += [
            "router ospf",
            *draw(st.sampled_from([[], [" log-adjacency-changes"], [" log-adjacency-changes detail"]])),
        ]
    if draw(st.booleans()):
        lines += ["router bgp 65001", *(f" {x}" for x in draw(st.lists(BGP_LINES)))]
        lines += [" address-family ipv4 unicast", *(f"  {x}" for x in draw(st.lists(AF_LINES))), " exit-address-family"]
    return parse("\n".join(lines), FRR)


@st.composite
def other_trees(draw: st.DrawFn) -> Tree:
    rules = draw(st.lists(st.sampled_from([f"permit host {n}" for n in range(6)] + ["deny any"]), unique=True))
    lines = ["filter F", *(f" {x}" for x in rules)] if rules or draw(st.booleans()) else []
    lines += draw(st.lists(st.sampled_from(["alpha 1", "alpha 2", "undo beta", "beta", "gamma x y"]), unique=True))
    return parse("\n".join(lines), OTHER)


def same(a: Tree, b: Tree, platform: Platform) -> bool:
    return canonical(a, platform) == canonical(b, platform)


def assert_laws(running: Tree, intended: Tree, platform: Platform) -> None:
    found = diff(running, intended, platform)
    assert same(applied(running, found.change, platform), intended, platform), found.change
    assert same(applied(intended, found.rollback, platform), running, platform), found.rollback
    assert bool(found) == (not same(running, intended, platform))
    assert not diff(applied(running, found.change, platform), intended, platform)


@settings(max_examples=120, deadline=None)
@given(frr_trees(), frr_trees())
def test_the_change_reaches_intended_and_the_rollback_returns(running: Tree, intended: Tree) -> None:
    assert_laws(running, intended, FRR)


@settings(max_examples=120, deadline=None)
@given(other_trees(), other_trees())
def test_the_laws_hold_where_order_matters(running: Tree, intended: Tree) -> None:
    assert_laws(running, intended, OTHER)


@given(frr_trees())
def test_what_is_written_reads_back_the_same(tree: Tree) -> None:
    assert same(parse("\n".join(lines_of(tree)), FRR), tree, FRR)


@given(st.text())
def test_any_text_is_a_configuration_or_is_refused_as_one(text: str) -> None:
    try:
        tree = parse(text, FRR)
    except ConfigError as error:
        assert error.where and error.fix
    else:
        assert not diff(tree, tree, FRR)


@pytest.mark.parametrize("case", CASES, ids=lambda p: f"{p.parent.parent.name}/{p.name}")
def test_a_case_of_a_platform(case: Path) -> None:
    platform = load_platform(case.parent.parent.name)
    running, intended = (
        parse((case / name).read_text(encoding="utf-8"), platform) for name in ("running.conf", "intended.conf")
    )
    found = diff(running, intended, platform)
    for name, lines in (("change", found.change), ("rollback", found.rollback)):
        golden = case / f"{name}.conf"
        if os.environ.get("CANH_GOLDEN") == "write":
            golden.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        assert list(lines) == golden.read_text(encoding="utf-8").splitlines()
    assert_laws(running, intended, platform)


def test_every_platform_has_cases() -> None:
    assert {c.parent.parent.name for c in CASES} == {p.parent.name for p in FOLDER.glob("*/platform.yaml")}


def test_a_line_taken_with_another_is_typed_again_when_it_is_wanted() -> None:
    forgetful = replace(FRR, replace=())  # a device on which an AS is changed by removing the neighbour
    running = parse("router bgp 1\n neighbor 10.0.0.1 remote-as 2\n neighbor 10.0.0.1 password s\n", FRR)
    intended = parse("router bgp 1\n neighbor 10.0.0.1 remote-as 3\n neighbor 10.0.0.1 password s\n", FRR)
    assert diff(running, intended, forgetful).change == (
        "router bgp 1",
        "no neighbor 10.0.0.1 remote-as 2",
        "exit",
        "router bgp 1",
        "neighbor 10.0.0.1 remote-as 3",
        "neighbor 10.0.0.1 password s",
        "exit",
    )
    assert diff(running, intended, FRR).change == ("router bgp 1", "neighbor 10.0.0.1 remote-as 3", "exit")


def test_an_emptied_interface_stays_and_an_emptied_router_goes() -> None:
    running = parse("interface eth1\n ip ospf area 0\nexit\nrouter ospf\n log-adjacency-changes\nexit\n", FRR)
    assert diff(running, (), FRR).change == ("interface eth1", "no ip ospf area 0", "exit", "no router ospf")


def test_ordered_lines_are_typed_again_from_the_first_that_differs() -> None:
    running = parse("filter F\n permit host 1\n permit host 2\n deny any\n", OTHER)
    intended = parse("filter F\n permit host 1\n permit host 3\n deny any\n", OTHER)
    assert diff(running, intended, OTHER).change == (
        *("filter F", "undo permit host 2", "undo deny any", "quit"),
        *("filter F", "permit host 3", "deny any", "quit"),
    )


def test_lines_indented_under_a_line_that_opens_no_section_are_refused() -> None:
    with pytest.raises(ConfigError, match="opens no section") as refused:
        parse("log commands\n ip ospf area 0\n", FRR, where="a.conf")
    assert refused.value.where == "a.conf:2"


def test_bottomless_nesting_is_refused() -> None:
    with pytest.raises(ConfigError, match="nested deeper"):
        parse("\n".join(" " * i + "interface eth1" for i in range(5000)), FRR)


def test_a_description_touches_nothing_that_the_far_end_must_agree_on() -> None:
    lines = ("interface eth1", "description x", "exit", "interface eth2", "ip ospf cost 5", "exit", "log commands")
    assert touched_sections(lines, FRR) == ("interface eth2", "log commands")


def test_an_empty_section_is_not_a_line() -> None:
    assert canonical((Node("router ospf"),), FRR) == parse("router ospf\nexit\n", FRR)
