"""An episode at its edges: one alert whose count grows, never a storm, and never one that swallows the next."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soc.detection import Detection
from soc.episodes import MOST_EVENTS, Episode, Episodes
from soc.outbox import Outbox
from soc.sigma import RuleSet
from tests.unit.soc.engine_support import FAILED, START, Remembered, at, correlation, event, failed, rules_of, run

LOUD = FAILED.replace("informational", "low")
GAP = 300.0


def episodes(detection: Detection) -> list[Episode]:
    """Those that alert, in the order in which they began."""
    found = detection.episodes.changes().changed.values()
    return sorted((e for e in found if not e.is_silent), key=lambda e: (e.start_us, e.key))


def counts(rules: RuleSet, moments: list[float], **more: str) -> list[int]:
    return [e.count for e in episodes(run(rules, [failed(n, t, **more) for n, t in enumerate(moments)]))]


@pytest.mark.parametrize(
    ("moments", "expected"),
    [
        ([0, GAP], [2]),
        ([0, GAP + 0.000001], [1, 1]),
        ([0, 200, 400, 600], [4]),
        ([0, GAP, 2 * GAP + 1], [2, 1]),
        ([60.0 * n for n in range(60)], [60]),
        ([60.0 * n for n in range(61)], [60, 1]),  # an hour after it began it comes back to the queue
        ([0, 0, 0], [3]),
    ],
)
def test_a_stateless_episode_ends_with_its_gap_and_after_an_hour(
    tmp_path: Path, moments: list[float], expected: list[int]
) -> None:
    assert counts(rules_of(tmp_path, LOUD), moments) == expected


def test_a_rule_says_how_far_apart_its_repeats_may_be(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, LOUD + "    canh: {episode: 10m, group-by: [user.name]}\n")
    assert not rules.refused
    assert counts(rules, [0, 600, 1200]) == [3]
    assert counts(rules, [0, 601]) == [1, 1]


def test_an_older_event_joins_the_running_episode_and_moves_its_beginning(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, LOUD)
    detection = run(rules, [failed(1, 1000), failed(2, 400, received=1001), failed(3, 1200)])
    (episode,) = episodes(detection)
    assert episode.count == 3
    assert (episode.first_us, episode.last_us) == tuple(round(at(s).timestamp() * 1e6) for s in (400, 1200))


def test_devices_and_groups_have_episodes_of_their_own(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, LOUD)
    events = [
        failed(1, 0),
        failed(2, 1, user__name="binh"),
        failed(3, 2, host__name="stc-ce1"),
        failed(4, 3, source__ip="10.0.0.9"),
        failed(5, 4),
    ]
    assert sorted(e.count for e in episodes(run(rules, events))) == [1, 1, 1, 2]


@pytest.mark.parametrize(
    ("span", "pause", "expected"), [("10s", 299, 1), ("10s", 320, 2), ("10m", 590, 1), ("10m", 620, 2)]
)
def test_a_correlations_gap_is_five_minutes_or_its_timespan(
    tmp_path: Path, span: str, pause: float, expected: int
) -> None:
    rules = rules_of(tmp_path, FAILED, correlation("event_count", "{gte: 2}", span=span))
    first = [failed(n, n) for n in range(2)]
    second = [failed(n, 1 + pause + n / 100) for n in range(10, 12)]
    found = episodes(run(rules, [*first, *second]))
    assert len(found) == expected
    assert sum(e.count for e in found) == 4


def test_a_storm_is_one_alert_with_bounded_copies(tmp_path: Path) -> None:
    rules = rules_of(tmp_path / "rules", FAILED, correlation("event_count", "{gte: 5}"))
    outbox, cases = Outbox(tmp_path / "detect.db"), Remembered()
    detection = Detection(rules, timedelta(seconds=2))
    outbox.restore(detection)
    for start in range(0, 3000, 500):
        detection.take([failed(n, n / 100) for n in range(start, start + 500)], START)
        outbox.commit(detection, {"s": start}, {}, {})
    detection.flush(START)
    outbox.commit(detection, {"s": 3000}, {}, {})
    cases.deliver(outbox.undelivered())
    (alert,) = cases.alerts.values()
    assert (alert.count, len(alert.events)) == (3000, MOST_EVENTS)
    assert (alert.first_seen, alert.last_seen) == (at(0), at(29.99))
    assert [e.id for e in alert.events] == [failed(n, 0).id for n in range(MOST_EVENTS)]


def test_a_restart_lets_the_same_alert_grow(tmp_path: Path) -> None:
    rules = rules_of(
        tmp_path / "rules", LOUD, correlation("event_count", "{gte: 3}").replace("level", "generate: true\n    level")
    )
    cases = Remembered()
    for turn in range(3):
        outbox, detection = Outbox(tmp_path / "detect.db"), Detection(rules, timedelta())
        outbox.restore(detection)
        detection.take([failed(10 * turn + n, 60 * turn + n) for n in range(4)], START)
        detection.flush(START)
        outbox.commit(detection, {"s": turn}, {}, {})
        cases.deliver(outbox.undelivered())
        outbox.close()
    assert sorted((a.title, a.count) for a in cases.alerts.values()) == [("Counted event_count", 12), ("Refused", 12)]


CHAIN = """
    title: From several addresses
    id: 00000000-0000-4000-8000-000000000009
    correlation:
        type: event_count
        rules: [00000000-0000-4000-8000-000000000002]
        group-by: []
        timespan: 1h
        condition: {gte: 3}
    level: critical
"""


def test_a_chain_counts_an_episode_once_however_often_it_fires(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, FAILED, correlation("event_count", "{gte: 3}"), CHAIN)
    two = [failed(n, n / 10, source__ip=f"10.0.0.{n % 2}") for n in range(100)]
    assert not episodes(run(rules, list(two)))
    three = [failed(200 + n, 20 + n / 10, source__ip="10.0.0.9") for n in range(3)]
    (chain,) = episodes(run(rules, [*two, *three]))
    assert (chain.title, chain.count) == ("From several addresses", 3)


def test_an_episode_of_a_chain_begun_anew_counts_again(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, FAILED, correlation("event_count", "{gte: 3}"), CHAIN)
    bursts = [failed(10 * turn + n, 400 * turn + n) for turn in range(3) for n in range(3)]
    (chain,) = episodes(run(rules, bursts))
    assert chain.count == 3


def test_at_most_so_many_episodes_run_and_the_least_used_ends(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, LOUD)
    detection = Detection(rules, timedelta())
    detection.episodes = Episodes(most=10)
    detection.take([failed(n, n, source__ip=f"10.0.0.{n}") for n in range(30)], START)
    assert (len(detection.episodes), detection.counters()["episodes_evicted"]) == (10, 20)
    detection.take([failed(99, 30, source__ip="10.0.0.29")], START)
    assert detection.episodes.raised == 30


_EVERY: dict[str, RuleSet] = {}


def every(factory: pytest.TempPathFactory, span: str) -> RuleSet:
    """A correlation that holds with each match."""
    if span not in _EVERY:
        _EVERY[span] = rules_of(factory.mktemp("rules"), FAILED, correlation("event_count", "{gte: 1}", span=span))
    return _EVERY[span]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 120), st.integers(0, 30)), min_size=1, max_size=40))
def test_every_match_is_counted_once_however_late(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[int, int]]
) -> None:
    """Also beyond the lateness: each counts in the window it still reaches."""
    rules = every(tmp_path_factory, "1h")
    found = episodes(run(rules, [failed(n, t, received=t + d) for n, (t, d) in enumerate(drawn)]))
    assert sum(e.count for e in found) == len(drawn)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2000), st.integers(0, 2000), st.integers(6500, 8000), st.booleans())
def test_the_edge_of_an_episode_does_not_move_with_delays(
    tmp_path_factory: pytest.TempPathFactory, one: int, two: int, other: int, beyond: bool
) -> None:
    """Something else keeps the clock going while the second match, just within the gap, is under way."""
    rules = every(tmp_path_factory, "10s")
    first, second = 7.0, 7 + GAP + 0.001 * beyond  # episodes are ended at round moments, as at 310
    events = [failed(1, first, received=first + one / 1000), failed(2, second, received=second + two / 1000)]
    events.append(event(3, 303 + other / 1000, event__action="tick"))
    detection = Detection(rules, timedelta(seconds=2))
    for each in sorted(events, key=lambda e: e.received):
        detection.take([each], START)
        detection.advance(round(each.received.timestamp() * 1e6), START)
    detection.flush(START)
    assert [e.count for e in episodes(detection)] == ([1, 1] if beyond else [2])


def test_alerts_of_strangers_say_whose_they_are_so_that_people_are_told_of_each(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, LOUD)
    peers = ("192.0.2.1", "192.0.2.2", "192.0.2.1")
    seen = [failed(n, n, host__ip=peer, canh__source__known=False) for n, peer in enumerate(peers)]
    found = episodes(run(rules, seen))
    assert [(dict(e.group)["host.ip"], e.count) for e in found] == [("192.0.2.1", 2), ("192.0.2.2", 1)]
    assert "host.ip" not in dict(episodes(run(rules, [failed(9, 0)]))[0].group)


def test_a_flood_of_groups_is_some_alerts_and_one_a_site(tmp_path: Path) -> None:
    rules = rules_of(tmp_path, LOUD)
    detection = Detection(rules, timedelta(seconds=2))
    detection.episodes = Episodes(most_of_a_rule=10)
    sites = ("dc", "hh")
    for n in range(100):
        detection.take([failed(n, n * 0.1, source__ip=f"10.1.0.{n}", canh__site=sites[n % 2])], START)
    detection.take([failed(500, 11, source__ip="10.1.0.3")], START)
    found = episodes(detection)
    assert sorted(e.count for e in found) == [1] * 9 + [2, 45, 45]
    assert {(e.site, e.device, e.group) for e in found if e.count == 45} == {
        (site, "", (("further", "> 10"),)) for site in sites
    }
    assert detection.counters()["episodes_gathered"] == 90
    detection.advance(detection.clock_us + 400_000_000, START)
    detection.take([failed(501, 500, source__ip="10.1.0.99")], START)
    assert [dict(e.group)["source.ip"] for e in episodes(detection)] == ["10.1.0.99"]


def test_a_flood_is_gathered_the_same_after_a_kill(tmp_path: Path) -> None:
    rules, path = rules_of(tmp_path / "rules", LOUD), tmp_path / "detect.db"
    facts: list[set[tuple[object, ...]]] = []
    for kills in ((), (7, 30)):
        path.unlink(missing_ok=True)
        store, outbox, detection = Remembered(), Outbox(path), Detection(rules, timedelta(seconds=2))
        outbox.restore(detection)
        for n in range(60):
            if n in kills:
                outbox.close()
                outbox, detection = Outbox(path), Detection(rules, timedelta(seconds=2))
                outbox.restore(detection)
            detection.episodes._most_of_a_rule = 10
            detection.take([failed(n, n, source__ip=f"10.1.0.{n}")], START)
            outbox.commit(detection, {}, {}, {})
        store.deliver(outbox.undelivered())
        outbox.close()
        facts.append(store.facts())
    assert facts[0] == facts[1] and len(facts[0]) == 11
