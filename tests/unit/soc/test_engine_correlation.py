"""Correlations and episodes: windows against a plain scan, any order of arrival, bounds."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soc.episodes import microseconds, moment
from soc.pending import Pending
from soc.sigma import RuleSet
from soc.sigma.correlator import Correlator, Sighting
from soc.sigma.rule import Correlation, Kind, Origin
from soc.sigma.window import Entry, Window
from tests.unit.soc.engine_support import FAILED, START, alerts, at, correlation, failed, own_rules, rules_of, run


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
        entry = Entry(seconds * 1_000_000, str(seconds), name, (str(value),))
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
        fields=("v",),
        percentile=75.0,
    )


def _scan(kind: Kind, entries: list[Entry]) -> float:
    """The slow, plain meaning of each aggregate."""
    numbers = sorted(float(value) for e in entries for value in e.values)
    match kind:
        case Kind.EVENT_COUNT:
            return len(entries)
        case Kind.VALUE_COUNT:
            return len({e.values for e in entries})
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
        ordered.add(Entry(s * 1_000_000, str(s), "r1", (str(s % 3),)))
    mixed = list(seconds)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    for s in mixed:
        shuffled.add(Entry(s * 1_000_000, str(s), "r1", (str(s % 3),)))
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

    rules = rules_of(tmp_path, FAILED, correlation("event_count", "{gte: 49999}"))
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
