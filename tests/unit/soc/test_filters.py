"""Filters: what they take from rules, until when, and that none is forgotten."""

from __future__ import annotations

import textwrap
from datetime import date, timedelta
from pathlib import Path

from soc.detection import Detection
from soc.sigma import Matcher, RuleSet, encode, load
from tests.unit.soc.engine_support import FAILED, START, correlation, failed, rules_of

RULE = "00000000-0000-4000-8000-000000000001"
COUNTED = "00000000-0000-4000-8000-000000000002"
TODAY = date(2026, 11, 22)


def filtered(
    folder: Path, *, where: str, rule: str = RULE, expires: str = "2027-03-01", today: date = TODAY
) -> RuleSet:
    """A rule of refused logins, a count of them, and a filter."""
    text = f"""
    title: Our own checks
    id: 00000000-0000-4000-8000-000000000009
    filter:
        rules: [{rule}]
        {where}
    canh: {{reason: our own checks, author: thanh, expires: {expires}}}
    """
    rules_of(folder, FAILED, correlation("event_count", "{gte: 3}"))
    (folder / "filters").mkdir(exist_ok=True)
    (folder / "filters/checks.yml").write_text(textwrap.dedent(text), "utf-8")
    return load([folder], {}, today=today)


CHECKS = "checks: {user.name: giamsat}\n        condition: not checks"
NEVER = "nothing: {event.id|re: '[^\\s\\S]'}\n        condition: nothing"


def matched(rules: RuleSet) -> list[int]:
    lines = [encode(failed(1, 0)), encode(failed(2, 0, user__name="giamsat"))]
    return [match.event for match in Matcher(rules).match(lines)]


def raised(rules: RuleSet) -> list[str]:
    detection = Detection(rules, timedelta(seconds=2))
    for number in range(4):
        detection.take([failed(number, number)], START)
    detection.flush(START)
    return [e.rule_id for e in detection.episodes.changes().changed.values() if not e.is_silent]


def test_a_filter_takes_events_from_a_rule_until_its_last_day(tmp_path: Path) -> None:
    rules = filtered(tmp_path, where=CHECKS, expires="2026-11-22")
    assert (matched(rules), len(rules.filters), len(rules.expired)) == ([0], 1, 0)
    rules = filtered(tmp_path, where=CHECKS, expires="2026-11-21")
    assert (matched(rules), len(rules.filters), len(rules.expired)) == ([0, 1], 0, 1)


def test_an_expired_filter_changes_the_set(tmp_path: Path) -> None:
    digests = {
        filtered(tmp_path, where=CHECKS, today=day).digest for day in (TODAY, date(2027, 3, 1), date(2027, 3, 2))
    }
    assert len(digests) == 2


def test_a_rule_is_switched_off_and_what_counts_it_counts_nothing(tmp_path: Path) -> None:
    rules = filtered(tmp_path, where=NEVER)
    assert rules.filters[0].disables
    assert (matched(rules), raised(rules)) == ([], [])


def test_a_correlation_is_switched_off_and_its_rules_go_on(tmp_path: Path) -> None:
    assert raised(filtered(tmp_path / "a", where=CHECKS)) == [COUNTED]
    rules = filtered(tmp_path / "b", where=NEVER, rule=COUNTED)
    assert not rules.refused
    assert (matched(rules), raised(rules)) == ([0, 1], [])
    assert rules.digest != filtered(tmp_path / "c", where=CHECKS, expires="2026-01-01").digest


def test_a_correlation_is_not_filtered_by_fields(tmp_path: Path) -> None:
    rules = filtered(tmp_path, where=CHECKS, rule=COUNTED)
    assert RULE in rules.refused[0].reason
    assert raised(rules) == [COUNTED]
