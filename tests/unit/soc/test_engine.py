"""Matching, routing, placeholders, correlations: laws first."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soc import placeholders
from soc.detection import Detection
from soc.episodes import microseconds, moment
from soc.pending import Pending
from soc.sigma import Matcher, RuleSet, decode, encode, load
from soc.sigma.condition import negated
from soc.sigma.correlator import Sighting
from soc.sigma.expand import ExpandError, expanded
from soc.sigma.library import START as CASE_START
from soc.sigma.rule import Correlation, Kind, Origin
from soc.sigma.window import Entry, Window
from tests.unit.soc.engine_support import SPOOL, START, at, event, failed, lab, own_rules, rules_of

FAILED = """
    title: Refused
    id: 00000000-0000-4000-8000-000000000001
    name: refused
    logsource: {category: authentication}
    detection:
        selection: {event.action: login, event.outcome: failure}
        condition: selection
    level: informational
"""


def correlation(kind: str, condition: str, *, group: str = "[source.ip]", span: str = "10s", number: int = 2) -> str:
    return f"""
    title: Counted {kind}
    id: 00000000-0000-4000-8000-00000000000{number}
    correlation:
        type: {kind}
        rules: [refused]
        group-by: {group}
        timespan: {span}
        condition: {condition}
    level: high
    """


def run(rules: RuleSet, events: list[object], lateness: float = 2) -> Detection:
    """All events in order of receiving, then until nothing waits."""
    detection = Detection(rules, timedelta(seconds=lateness))
    for one in sorted(events, key=lambda e: e.received):  # type: ignore[attr-defined]
        detection.take([one], START)  # type: ignore[list-item]
    detection.flush(START)
    return detection


def alerts(detection: Detection) -> set[tuple[object, ...]]:
    found = detection.episodes.changes().changed.values()
    return {(e.alert_id, e.group, e.count, e.first_us, e.last_us) for e in found if not e.is_silent}


# ---- matching


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
    """The indexed, routed set against one engine a rule, over the events of all cases."""
    from soc.sigma.library import Scene, folders

    rules = own_rules()
    lines = []
    for folder in folders(rules):
        for case in folder.cases:
            data_dir = tmp_path / folder.slug / case.name
            data_dir.mkdir(parents=True)
            lines += [encode(one) for one in Scene(case, lab(), data_dir).events()]
    together = {(match.event, match.rule.id) for match in Matcher(rules).match(lines)}
    alone = set()
    for rule in rules.rules:
        single = Matcher(load([rule.origin.path], placeholders.of(lab())))
        alone |= {(match.event, match.rule.id) for match in single.match(lines)}
    assert together == alone
    assert len(lines) > 150


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


# ---- correlations


def test_an_episode_is_one_alert_that_grows(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, FAILED, correlation("event_count", "{gte: 5}"))
    detection = run(rules, [failed(n, n * 0.5) for n in range(40)])
    ((_, group, count, first, last),) = alerts(detection)
    assert group == (("source.ip", "10.250.65.10"),)
    assert (count, moment(first), moment(last)) == (40, at(0), at(19.5))


def test_the_edge_of_the_window_belongs_to_it(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, FAILED, correlation("event_count", "{gte: 2}"))
    assert alerts(run(rules, [failed(1, 0), failed(2, 10)]))
    assert not alerts(run(rules, [failed(1, 0), failed(2, 10.001)]))


def test_groups_do_not_mix(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, FAILED, correlation("event_count", "{gte: 3}"))
    assert not alerts(run(rules, [failed(n, n, source__ip=f"10.0.0.{n}") for n in range(9)]))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_order_of_arrival_within_the_lateness_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    rules = all_kinds(tmp_path_factory)
    times = data.draw(st.lists(st.floats(0, 60), min_size=1, max_size=40, unique_by=lambda t: round(t, 3)))
    users = data.draw(st.lists(st.sampled_from("abcde"), min_size=len(times), max_size=len(times)))
    delays = data.draw(st.lists(st.floats(0, 2), min_size=len(times), max_size=len(times)))
    in_time = [failed(n, t, user__name=u) for n, (t, u) in enumerate(zip(times, users, strict=True))]
    delayed = [
        failed(n, t, received=t + d, user__name=u) for n, (t, u, d) in enumerate(zip(times, users, delays, strict=True))
    ]
    assert alerts(run(rules, list(in_time))) == alerts(run(rules, list(delayed)))


_KINDS: list[RuleSet] = []


def all_kinds(factory: pytest.TempPathFactory) -> RuleSet:
    """One correlation a kind over the same feeder."""
    if not _KINDS:
        texts = [
            correlation("event_count", "{gte: 4}", number=2),
            correlation("value_count", "{field: user.name, gte: 3}", number=3),
            correlation("event_count", "{lte: 2}", number=4, group="[user.name]"),
        ]
        _KINDS.append(rules_of(factory.mktemp("kinds"), FAILED, *texts))
    return _KINDS[0]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from([k for k in Kind if k is not Kind.TEMPORAL_ORDERED]),
    st.lists(
        st.tuples(st.integers(0, 60), st.sampled_from(["r1", "r2"]), st.integers(-5, 5)),
        max_size=40,
        unique_by=lambda e: e[0],
    ),
    st.sampled_from(["gt", "gte", "lt", "lte", "eq", "neq"]),
    st.integers(0, 4),
)
def test_a_window_counts_as_a_full_scan_does(
    kind: Kind, given_: list[tuple[int, str, int]], op: str, limit: int
) -> None:
    rule = _rule(kind, ((op, float(limit)),))
    window = Window(rule, 1000)
    seen: list[Entry] = []
    for seconds, name, value in sorted(given_):
        entry = Entry(seconds * 1_000_000, str(seconds), name, str(value))
        seen.append(entry)
        window.add(entry)
        inside = [e for e in seen if entry.at_us - e.at_us <= 10_000_000]
        assert window.entries == inside
        expected = _scan(kind, inside)
        assert window.aggregate.value() == pytest.approx(expected)


def _rule(kind: Kind, conditions: tuple[tuple[str, float], ...], rules: tuple[str, ...] = ("r1", "r2")) -> Correlation:
    return Correlation(
        id="c",
        name="",
        title="",
        level=own_rules().rules[0].level,
        origin=Origin(path=Path("rule.yml")),
        digest="",
        kind=kind,
        rules=rules,
        group_by=(),
        timespan=timedelta(seconds=10),
        conditions=conditions,
        field="v",
        percentile=75.0,
    )


def _scan(kind: Kind, entries: list[Entry]) -> float:
    """The slow, plain meaning of each aggregate."""
    numbers = sorted(float(e.value) for e in entries)
    match kind:
        case Kind.EVENT_COUNT:
            return len(entries)
        case Kind.VALUE_COUNT:
            return len({e.value for e in entries})
        case Kind.TEMPORAL:
            return len({e.rule for e in entries})
        case Kind.VALUE_SUM:
            return sum(numbers)
        case Kind.VALUE_AVG:
            return sum(numbers) / len(numbers)
        case _:
            rank = (0.75 if kind is Kind.VALUE_PERCENTILE else 0.5) * (len(numbers) - 1)
            low, high = numbers[int(rank)], numbers[min(int(rank) + 1, len(numbers) - 1)]
            return low + (high - low) * (rank - int(rank))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.sampled_from("abc")), max_size=25, unique_by=lambda e: e[0]))
def test_an_ordered_sequence_is_found_exactly_when_there_is_one(given_: list[tuple[int, str]]) -> None:
    rule = _rule(Kind.TEMPORAL_ORDERED, (("gte", 3.0),), rules=("a", "b", "c"))
    window = Window(rule, 1000)
    seen: list[tuple[int, str]] = []
    for seconds, name in sorted(given_):
        seen.append((seconds, name))
        window.add(Entry(seconds * 1_000_000, str(seconds), name))
        inside = [e for e in seen if seconds - e[0] <= 10]
        there = any(
            x[1] == "a" and y[1] == "b" and z[1] == "c"
            for i, x in enumerate(inside)
            for j, y in enumerate(inside[i + 1 :], i + 1)
            for z in inside[j + 1 :]
        )
        assert window.holds() == there


@given(st.lists(st.integers(0, 30), min_size=1, max_size=30, unique=True), st.randoms(use_true_random=False))
def test_late_entries_leave_the_window_as_if_they_had_come_in_time(seconds: list[int], chance: object) -> None:
    rule = _rule(Kind.VALUE_COUNT, (("gte", 2.0),))
    ordered, shuffled = Window(rule, 1000), Window(rule, 1000)
    for s in sorted(seconds):
        ordered.add(Entry(s * 1_000_000, str(s), "r1", str(s % 3)))
    mixed = list(seconds)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    for s in mixed:
        shuffled.add(Entry(s * 1_000_000, str(s), "r1", str(s % 3)))
    assert shuffled.entries == ordered.entries
    assert shuffled.aggregate.value() == ordered.aggregate.value()


def test_a_chain_fires_on_top_of_a_correlation(tmp_path: Path) -> None:
    chain = """
    title: Three addresses guess
    id: 00000000-0000-4000-8000-000000000003
    correlation:
        type: value_count
        rules: [00000000-0000-4000-8000-000000000002]
        timespan: 1m
        condition: {field: source.ip, gte: 3}
    """
    rules = rules_of(tmp_path, FAILED, correlation("event_count", "{gte: 3}"), chain)
    assert not rules.refused
    events = [failed(n, n, source__ip=f"10.0.0.{n % 3}") for n in range(9)]
    ((_, group, _, _, _),) = alerts(run(rules, list(events)))
    assert group == ()


def test_aliases_join_fields_of_different_names(tmp_path: Path) -> None:
    other = FAILED.replace("0001", "0007").replace("refused", "allowed").replace("failure", "success")
    joined = """
    title: In and out
    id: 00000000-0000-4000-8000-000000000003
    correlation:
        type: temporal
        rules: [refused, allowed]
        group-by: [who]
        timespan: 1m
        aliases:
            who: {refused: user.name, allowed: user.target.name}
    """
    rules = rules_of(tmp_path, FAILED, other, joined)
    assert not rules.refused
    inn, out = failed(1, 0, user__name="an"), failed(2, 1, event__outcome="success", user__target__name="an")
    assert alerts(run(rules, [inn, out]))
    assert not alerts(run(rules, [inn, failed(3, 1, event__outcome="success", user__target__name="binh")]))


def test_state_is_bounded_and_what_goes_is_counted(tmp_path: Path) -> None:
    from soc.sigma.correlator import Correlator

    rules = rules_of(tmp_path, FAILED, correlation("event_count", "{gte: 99999}"))
    correlator = Correlator(rules.correlations, lambda _: "", most_groups=10, most_entries=16)
    for n in range(400):
        address = f"10.0.0.{n % 40}" if n < 100 else "10.9.9.9"
        at_us = microseconds(START) + n * 1000
        correlator.take(
            Sighting(at_us=at_us, id=str(n), rule=rules.rules[0].id, received_us=at_us, fields={"source.ip": address})
        )
    assert correlator.groups <= 10
    assert correlator.entries <= 10 * 16
    assert correlator.counts["groups_evicted"] >= 30
    assert correlator.counts["entries_evicted"] > 200


def test_a_full_reorder_buffer_lets_the_oldest_go_and_counts_it() -> None:
    pending = Pending(5_000_000, most=3)
    left = []
    for n in range(6):
        left += pending.add(Sighting(at_us=n, id=str(n), rule="r", received_us=n, fields={}))
    assert [s.at_us for s in left] == [0, 1, 2]
    assert (pending.early, pending.late) == (3, 0)
    assert CASE_START and SPOOL


def test_a_stateless_storm_is_one_alert_and_other_devices_are_others(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, FAILED.replace("informational", "low"))
    storm = [failed(n, n * 0.1) for n in range(500)]
    elsewhere = [failed(1000, 3, host__name="stc-ce1")]
    found = alerts(run(rules, [*storm, *elsewhere]))
    assert sorted(count for _, _, count, _, _ in found) == [1, 500]  # type: ignore[type-var]


def test_what_never_stops_comes_back_to_the_queue_after_an_hour(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, FAILED.replace("informational", "low"))
    found = alerts(run(rules, [failed(n, n * 60) for n in range(180)]))
    assert len(found) == 3
