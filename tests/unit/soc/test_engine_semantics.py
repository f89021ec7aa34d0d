"""Where Sigma is easily read wrongly: filters, selectors that name nothing, placeholders with every modifier."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from soc.sigma import Matcher, RuleSet, load
from tests.unit.soc.engine_support import ROOT

SIGMA = ROOT.parent / "shared/sigma"


def _loaded(folder: Path, *documents: dict[str, Any], **placeholders: tuple[str, ...]) -> RuleSet:
    for number, document in enumerate(documents):
        (folder / f"{number}.yml").write_text(json.dumps(document, indent=1))
    return load([folder], placeholders, bare_filters=True)


def _rule(detection: dict[str, Any]) -> dict[str, Any]:
    return {"title": "a rule", "id": "r1", "logsource": {"category": "test"}, "detection": detection}


def _met(rules: RuleSet, *events: dict[str, Any]) -> list[int]:
    assert not rules.refused, rules.refused
    return [match.event for match in Matcher(rules).match([json.dumps(event).encode() for event in events])]


def test_a_filter_s_own_selectors_are_its_own(tmp_path: Path) -> None:
    """`1 of noise_*` of a filter is not a selection of the rule that is called so, nor does `them` of the rule
    take the filter's."""
    rule = _rule({"noise_own": {"a": "x"}, "main": {"b": "y"}, "condition": "all of them"})
    narrowed = {
        "title": "quiet",
        "filter": {
            "rules": ["r1"],
            "noise_one": {"c": "1"},
            "noise_two": {"c|startswith": "2"},
            "condition": "not 1 of noise_*",
        },
    }
    also = {"title": "quiet too", "filter": {"rules": "any", "noise_one": {"c": "9"}, "condition": "not all of them"}}
    event = {"a": "x", "b": "y"}
    events = (event, event | {"c": "1"}, event | {"c": "22"}, event | {"c": "3"}, event | {"c": "9"}, {"b": "y"})
    assert _met(_loaded(tmp_path, rule, narrowed, also), *events) == [0, 3]


def test_a_filter_of_another_log_source_leaves_a_rule_alone(tmp_path: Path) -> None:
    rule = _rule({"s": {"a": "x"}, "condition": "s"})
    other = {
        "title": "quiet",
        "logsource": {"category": "test", "product": "windows"},
        "filter": {"rules": "any", "n": {"a": "x"}, "condition": "not n"},
    }
    assert _met(_loaded(tmp_path, rule, other), {"a": "x"}) == [0]


def test_placeholders_of_a_filter_are_filled_in(tmp_path: Path) -> None:
    rule = _rule({"s": {"a": "x"}, "condition": "s"})
    ours = {
        "title": "quiet",
        "filter": {"rules": ["r1"], "n": {"ip|cidr|expand": "%ours%"}, "condition": "not n"},
    }
    rules = _loaded(tmp_path, rule, ours, ours=("192.0.2.0/24", "2001:db8::/32"))
    events = [{"a": "x", "ip": ip} for ip in ("192.0.2.7", "2001:db8::7", "198.51.100.7")]
    assert _met(rules, *events) == [2]
    emptied = _loaded(tmp_path, rule, ours, ours=())
    assert ["would match everything" in refusal.reason for refusal in emptied.refused] == [True]


@pytest.mark.parametrize("condition", ["all of filter_*", "not 1 of filter_*", "s and not all of filter_*"])
def test_a_selector_that_names_nothing_is_refused(tmp_path: Path, condition: str) -> None:
    """`all of` nothing would hold for every event."""
    rules = _loaded(tmp_path, _rule({"s": {"a": "x"}, "condition": condition}))
    assert ["filter_*" in refusal.reason for refusal in rules.refused] == [True]


def test_a_windash_value_of_too_many_flags_is_refused(tmp_path: Path) -> None:
    rules = _loaded(tmp_path, _rule({"s": {"a|windash|contains": " -a -b -c -d -e -f"}, "condition": "s"}))
    assert ["windash" in refusal.reason for refusal in rules.refused] == [True]


VALUES = ("abc", "x*z")
EXPANDED: list[tuple[str, tuple[str, ...], list[str], list[str]]] = [
    ("expand", VALUES, ["ABC", "x*z", "x1z"], ["abcd", "xz1"]),
    ("contains|expand", VALUES, ["-abc-", "-x1z-"], ["ab"]),
    ("expand|startswith", VALUES, ["abcd", "x1zz"], ["-abc"]),
    ("endswith|expand", VALUES, ["-abc"], ["abcd"]),
    ("contains|all|expand", VALUES, ["abc x1z"], ["abc", "xz"]),
    ("cased|expand", ("Abc",), ["Abc"], ["abc"]),
    ("re|expand", ("a.c$",), ["-axc"], ["axcd"]),
    ("cidr|expand", ("192.0.2.0/24", "2001:db8::/48"), ["192.0.2.9", "2001:db8::9"], ["192.0.3.9", "none"]),
    ("base64offset|contains|expand", ("password",), ["eHBhc3N3b3Jk"], ["password"]),
    ("windash|contains|expand", (" -enc ",), ["x /enc y", "x -enc y"], ["x enc y"]),
    ("gte|expand", ("5",), ["5", "7"], ["4", "x"]),
    ("neq|expand", ("abc",), ["x"], ["abc", "ABC"]),
]


@pytest.mark.parametrize(("modifiers", "values", "hits", "misses"), EXPANDED, ids=[case[0] for case in EXPANDED])
def test_placeholders_go_with_every_modifier(
    tmp_path: Path, modifiers: str, values: tuple[str, ...], hits: list[str], misses: list[str]
) -> None:
    rules = _loaded(tmp_path, _rule({"s": {f"a|{modifiers}": "%given%"}, "condition": "s"}), given=values)
    assert _met(rules, *({"a": text} for text in hits + misses)) == list(range(len(hits)))


def test_a_placeholder_within_a_value_stands_for_each_of_its_values(tmp_path: Path) -> None:
    rules = _loaded(
        tmp_path, _rule({"s": {"a|expand": "\\\\\\\\%host%\\\\share"}, "condition": "s"}), host=("one", "two")
    )
    assert _met(rules, {"a": "\\\\one\\share"}, {"a": "\\\\two\\share"}, {"a": "\\\\three\\share"}) == [0, 1]


# ---- the community's rules, where they are at hand


@pytest.mark.skipif(not (SIGMA / "rules.tar.gz").is_file(), reason="the community's rules are not here")
def test_no_community_rule_is_out_of_reach(tmp_path: Path) -> None:
    """Each of 3,754 can be compiled (but for placeholders only a province knows), and its log source be met."""
    import tarfile

    with tarfile.open(SIGMA / "rules.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    rules = load([tmp_path], {}, cached_in=tmp_path / "cache")
    assert len(rules.rules) > 3700
    assert {refusal.reason.split("%")[0] for refusal in rules.refused} <= {"unknown placeholder "}
    assert rules.compiled.unreached == []
    again = load([tmp_path], {}, cached_in=tmp_path / "cache")
    assert again.rules == rules.rules
