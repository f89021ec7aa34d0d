"""Matching, routing by log source, placeholders: laws first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soc import placeholders
from soc.sigma import Matcher, decode, encode, load
from soc.sigma.condition import negated
from soc.sigma.expand import ExpandError, expanded
from tests.unit.soc.engine_support import FAILED, event, failed, lab, own_rules, rules_of


def test_a_match_says_which_field_met_which_pattern(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, FAILED.replace("informational", "low"))
    (match,) = Matcher(rules).match([encode(failed(1, 0))])
    said = {(f.selection, f.field, f.value, f.pattern) for f in match.fields}
    assert ("selection", "event.outcome", "failure", "failure") in said


def test_an_event_meets_only_rules_of_its_log_source(tmp_path: Path) -> None:
    text = FAILED.replace("category: authentication", "product: windows")
    rules = rules_of(tmp_path, FAILED, text.replace("0001", "0009").replace("name: refused", "name: other"))
    found = {match.rule.name for match in Matcher(rules).match([encode(failed(1, 0))])}
    assert found == {"refused"}


def test_raw_windows_json_is_routed_by_channel_and_id(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, FAILED)
    line = json.dumps({"Channel": "Microsoft-Windows-Sysmon/Operational", "EventID": 1, "Image": "C:\\x.exe"})
    sources = rules.compiled.log_sources(line.encode())
    assert ("windows", "process_creation", "sysmon") in sources
    assert ("windows", "", "sysmon") in sources
    assert not any(category == "dns_query" for _, category, _ in sources)


def test_an_event_of_no_known_source_meets_every_rule(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, FAILED)
    (match,) = Matcher(rules).match([b'{"event.action": "login", "event.outcome": "failure"}'])
    assert match.rule.name == "refused"


def test_nested_and_flat_events_match_alike(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, FAILED)
    one = failed(1, 0)
    flat, nested = encode(one), one.as_json().encode()
    assert [m.rule.id for m in Matcher(rules).match([flat])] == [m.rule.id for m in Matcher(rules).match([nested])]


def test_what_is_no_json_object_is_counted_and_the_rest_goes_on(tmp_path: Path) -> None:
    matcher = Matcher(rules_of(tmp_path, FAILED))
    found = list(matcher.match([b"{", b"[]", encode(failed(1, 0))]))
    assert [match.event for match in found] == [2]
    assert matcher.invalid == 2


def test_half_a_surrogate_pair_does_not_hide_an_event(tmp_path: Path) -> None:
    matcher = Matcher(rules_of(tmp_path, FAILED))
    assert list(matcher.match([encode(failed(1, 0, user__name="\ud800x"))]))


@given(st.dictionaries(st.sampled_from(["a.b", "c"]), st.text() | st.integers() | st.booleans() | st.tuples(st.text())))
def test_an_event_kept_as_json_comes_back(fields: dict[str, object]) -> None:
    one = event(1, 0, **fields)  # type: ignore[arg-type]
    try:
        str(fields).encode()
    except UnicodeEncodeError:
        return
    assert decode(encode(one)) == one


def test_the_engine_agrees_with_every_rule_alone(tmp_path: Path) -> None:
    """The indexed, routed set against one engine a rule, over the rule's own cases and a share of all others."""
    from soc.sigma.library import Scene, folders

    rules = own_rules()
    lines: list[bytes] = []
    own: dict[Path, range] = {}
    for folder in folders(rules):
        start = len(lines)
        for case in folder.cases:
            data_dir = tmp_path / folder.path.parent.name / folder.slug / case.name
            data_dir.mkdir(parents=True)
            lines += [encode(one) for one in Scene(case, lab(), data_dir).events()]
        own[folder.path] = range(start, len(lines))
    together = {(match.event, match.rule.id) for match in Matcher(rules).match(lines)}
    known, shared = placeholders.of(lab()), set(range(0, len(lines), 40))
    for rule in rules.rules:
        single = Matcher(load([rule.origin.path], known))
        looked_at = sorted(shared | set(own.get(rule.origin.path.parent, ())))
        alone = {(looked_at[m.event], m.rule.id) for m in single.match([lines[at] for at in looked_at])}
        assert alone == {(at, rule.id) for at in looked_at if (at, rule.id) in together}, rule.origin
    assert len(lines) > 150


def test_events_shipped_as_ecs_are_routed_like_raw_ones(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, FAILED)
    line = json.dumps({"winlog": {"channel": "Security"}, "event": {"code": "4688"}})
    assert ("windows", "process_creation", "security") in rules.compiled.log_sources(line.encode())


def test_a_filter_silences_the_rule_it_names_and_changes_the_set(tmp_path: Path) -> None:
    silence = """
    title: Our own checks
    id: 00000000-0000-4000-8000-000000000009
    logsource: {category: authentication}
    filter:
        rules: [00000000-0000-4000-8000-000000000001]
        checks: {user.name: giamsat}
        condition: not checks
    """
    rules_of(tmp_path / "b", FAILED, silence)
    bare, filtered = rules_of(tmp_path / "a", FAILED), load([tmp_path / "b"], {}, bare_filters=True)
    assert not filtered.refused
    lines = [encode(failed(1, 0)), encode(failed(2, 0, user__name="giamsat"))]
    assert [m.event for m in Matcher(bare).match(lines)] == [0, 1]
    assert [m.event for m in Matcher(filtered).match(lines)] == [0]
    assert bare.digest != filtered.digest


def test_community_rules_meet_ecs_events_unchanged_and_pipelines_map_what_else_there_is(tmp_path: Path) -> None:
    text = """
    title: Somebody asks who he is
    id: 00000000-0000-4000-8000-000000000001
    logsource: {product: windows, category: process_creation}
    detection:
        selection: {Image|endswith: '\\whoami.exe'}
        condition: selection
    """
    mapped = """
    name: another agent's names
    transformations:
        - {id: names, type: field_name_mapping, mapping: {Image: agent.path}}
    """
    rules_of(tmp_path, text)
    head = {"winlog": {"channel": "Microsoft-Windows-Sysmon/Operational"}, "event": {"code": "1"}}
    ecs = json.dumps(head | {"process": {"executable": "C:\\Windows\\whoami.exe"}}).encode()
    other = json.dumps(head | {"agent": {"path": "C:\\Windows\\whoami.exe"}}).encode()
    assert [m.event for m in Matcher(load([tmp_path], {})).match([ecs, other])] == [0]
    assert [m.event for m in Matcher(load([tmp_path], {}, pipelines=["ecs_windows"])).match([ecs, other])] == [0]
    assert [m.event for m in Matcher(load([tmp_path], {}, pipelines=[mapped])).match([ecs, other])] == [1]


# ---- placeholders


def test_placeholders_become_values_under_any_modifier() -> None:
    written = {"detection": {"s": {"a|cidr|expand": "%n%", "b|contains|expand": ["x%n%", "y"]}, "condition": "s"}}
    done = expanded(written, {"n": ("1", "2")})["detection"]["s"]
    assert done == {"a|cidr": ["1", "2"], "b|contains": ["x1", "x2", "y"]}


def test_an_unknown_placeholder_is_refused() -> None:
    with pytest.raises(ExpandError, match="unknown placeholder %nobody%"):
        expanded({"detection": {"s": {"a|expand": "%nobody%"}, "condition": "s"}}, {})


def test_an_empty_placeholder_never_matches(tmp_path: Path) -> None:
    text = FAILED.replace("event.outcome: failure", "user.name|expand: '%none%'")
    (tmp_path / "rule.yml").write_text("\n".join(line[4:] for line in text.splitlines()))
    rules = load([tmp_path], {"none": ()})
    assert not rules.refused
    assert not list(Matcher(rules).match([encode(failed(1, 0)), encode(failed(2, 0, user__name=""))]))


def test_a_negated_empty_placeholder_is_refused() -> None:
    written = {"detection": {"s": {"a": 1}, "f": {"b|expand": "%none%"}, "condition": "s and not f"}}
    with pytest.raises(ExpandError, match="would match everything"):
        expanded(written, {"none": ()})


@pytest.mark.parametrize(
    ("condition", "turned"),
    [
        ("a and b", ""),
        ("a and not b", "b"),
        ("not (a or not b)", "a"),
        ("a and not 1 of b*", "b"),
        ("not all of them", "a b"),
        ("a or not not b", ""),
    ],
)
def test_what_stands_under_not_is_known(condition: str, turned: str) -> None:
    assert negated(condition, ("a", "b")) == frozenset(turned.split())
