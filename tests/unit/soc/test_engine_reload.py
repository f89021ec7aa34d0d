"""A rule set is replaced between two batches: what did not change goes on counting, what did begins anew."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from soc.detection import Detection
from soc.outbox import Outbox
from soc.sigma import RuleSet
from tests.unit.soc.engine_support import FAILED, START, correlation, failed, rules_of

COUNTED = correlation("event_count", "{gte: 5}", span="1m")
OTHER = correlation("value_count", "{field: user.name, gte: 3}", span="1m", number=3)
CHANGED = COUNTED.replace("gte: 5", "gte: 4")


def facts(detection: Detection) -> set[tuple[object, ...]]:
    return {(e.alert_id, e.rule_id, e.count) for e in detection.episodes._open.values() if not e.is_silent}


@settings(max_examples=20, deadline=None)
@given(at=st.integers(0, 12))
def test_a_reload_of_what_did_not_change_changes_no_alert(tmp_path_factory: object, at: int) -> None:
    folder: Path = tmp_path_factory.mktemp("rules")  # type: ignore[attr-defined]
    rules, again = rules_of(folder / "a", FAILED, COUNTED), rules_of(folder / "b", FAILED, COUNTED, OTHER)
    plain, reloaded = Detection(rules, timedelta(seconds=2)), Detection(rules, timedelta(seconds=2))
    for number in range(12):
        if number == at:
            assert reloaded.replace_rules(again) == frozenset()
        for detection in (plain, reloaded):
            detection.take([failed(number, number)], START)
    for detection in (plain, reloaded):
        detection.flush(START)
    assert facts(plain) <= facts(reloaded)
    assert {rule for _, rule, _ in facts(reloaded) - facts(plain)} <= {again.correlations[1].id}


def test_a_rule_that_changed_counts_from_nothing_and_its_alert_ends(tmp_path: Path) -> None:
    before, after = rules_of(tmp_path / "a", FAILED, COUNTED), rules_of(tmp_path / "b", FAILED, CHANGED)
    detection = Detection(before, timedelta(seconds=2))
    for number in range(6):
        detection.take([failed(number, number)], START)
    detection.advance(detection.clock_us + 2_000_000, START)
    ((first, _, count),) = facts(detection)
    assert count == 6
    assert detection.replace_rules(after) == {before.correlations[0].id}
    assert not facts(detection)
    assert detection.correlator.groups == 0
    for number in range(10, 14):
        detection.take([failed(number, number)], START)
    detection.flush(START)
    ((second, _, count),) = facts(detection)
    assert (second != first, count) == (True, 4)


def test_what_waits_for_an_unchanged_rule_is_not_lost_and_that_of_a_gone_one_is(tmp_path: Path) -> None:
    before = rules_of(tmp_path / "a", FAILED, COUNTED)
    detection = Detection(before, timedelta(seconds=2))
    detection.take([failed(number, number / 10) for number in range(5)], START)
    assert len(detection.pending.held) == 5
    detection.replace_rules(rules_of(tmp_path / "b", FAILED, COUNTED, OTHER))
    assert len(detection.pending.held) == 5
    detection.replace_rules(nothing_of(before))
    assert not detection.pending.held
    detection.flush(START)
    assert not facts(detection)


def nothing_of(rules: RuleSet) -> RuleSet:
    """No rules at all, as when the folder was emptied."""
    return RuleSet(rules=(), correlations=(), refused=(), compiled=rules.compiled, digest="none")


def test_the_position_at_which_rules_changed_is_written_down_and_a_start_finds_the_same_state(tmp_path: Path) -> None:
    before, after = rules_of(tmp_path / "a", FAILED, COUNTED, OTHER), rules_of(tmp_path / "b", FAILED, CHANGED, OTHER)
    outbox = Outbox(tmp_path / "detect.db")
    detection = Detection(before, timedelta(seconds=2))
    assert outbox.restore(detection) == frozenset()
    detection.take([failed(number, number, user__name=f"u{number}") for number in range(8)], START)
    outbox.commit(detection, {"s": 8}, {}, {})
    detection.replace_rules(after)
    outbox.commit(detection, {"s": 8}, {}, {})
    assert outbox.rules() == {"digest": after.digest, "from": {"s": 8}}
    outbox.close()
    again, restored = Outbox(tmp_path / "detect.db"), Detection(after, timedelta(seconds=2))
    assert again.restore(restored) == frozenset()
    for one in (detection, restored):
        one.take([failed(20, 20, user__name="u20")], START)
        one.flush(START)
    assert facts(restored) == facts(detection)
    assert {rule for _, rule, _ in facts(restored)} == {after.correlations[1].id}
    again.close()
