"""What names in correlations mean when several folders have rules called the same."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from soc.detection import Detection
from soc.outbox import Outbox
from soc.sigma import RuleSet, load
from tests.unit.soc.engine_support import START, failed

RULE = """
title: {title}
id: 00000000-0000-4000-8000-0000000000{number}
name: {name}
logsource: {{category: authentication}}
detection: {{selection: {{event.action: login}}, condition: selection}}
"""
COUNTED = """
title: Counted
id: 00000000-0000-4000-8000-0000000000{number}
correlation: {{type: event_count, rules: [{of}], group-by: [source.ip], timespan: 10s, condition: {{gte: {least}}}}}
"""


def loaded(tmp_path: Path, **folders: list[str]) -> RuleSet:
    for name, texts in folders.items():
        (tmp_path / name).mkdir()
        for number, text in enumerate(texts):
            (tmp_path / name / f"{number}.yml").write_text(text, "utf-8")
    return load([tmp_path / name for name in folders], {})


def rule(number: int, name: str, title: str = "") -> str:
    return RULE.format(number=number, name=name, title=title or f"T{number}")


def ends(rules: RuleSet) -> list[list[str]]:
    return [[id_[-2:] for id_ in correlation.rules] for correlation in rules.correlations]


@pytest.mark.parametrize("of", ["refused", "T20"])
def test_a_rule_of_a_set_does_not_take_the_place_of_ours_by_its_name(tmp_path: Path, of: str) -> None:
    ours = [rule(20, "refused"), COUNTED.format(number=30, of=of, least=3)]
    rules = loaded(tmp_path, ours=ours, theirs=[rule(21, "refused", "T20"), rule(22, "T20", "refused")])
    assert ends(rules) == [["20"]]


def test_nor_by_having_it_for_an_id(tmp_path: Path) -> None:
    theirs = rule(21, "x").replace("00000000-0000-4000-8000-000000000021", "refused")
    rules = loaded(tmp_path, ours=[rule(20, "refused"), COUNTED.format(number=30, of="refused", least=3)], a=[theirs])
    assert ends(rules) == [["20"]]


def test_a_correlation_of_a_set_means_the_rules_of_its_set(tmp_path: Path) -> None:
    theirs = [rule(21, "refused"), COUNTED.format(number=31, of="refused", least=3)]
    assert ends(loaded(tmp_path, ours=[rule(20, "refused")], theirs=theirs)) == [["21"]]


def test_and_ours_where_it_has_none_called_so(tmp_path: Path) -> None:
    theirs = [COUNTED.format(number=31, of="refused", least=3)]
    assert ends(loaded(tmp_path, ours=[rule(20, "refused")], province=[], theirs=theirs)) == [["20"]]


def test_of_two_correlations_with_one_id_the_first_is_used_and_the_other_is_told(tmp_path: Path) -> None:
    one, other = (COUNTED.format(number=30, of="refused", least=least) for least in (3, 4))
    rules = loaded(tmp_path, ours=[rule(20, "refused"), one], theirs=[other])
    assert [correlation.conditions for correlation in rules.correlations] == [(("gte", 3.0),)]
    assert [refusal.origin.path.parent.name for refusal in rules.refused] == ["theirs"]
    assert "is taken by" in rules.refused[0].reason


def test_a_rule_cannot_take_the_id_of_a_correlation_either(tmp_path: Path) -> None:
    ours = [rule(20, "refused"), COUNTED.format(number=30, of="refused", least=3)]
    rules = loaded(tmp_path, ours=ours, theirs=[rule(30, "x")])
    assert ends(rules) == [["20"]]
    assert len(rules.rules) == 1 and len(rules.refused) == 1


def test_detection_goes_on_when_a_file_is_renamed_and_a_name_means_another_rule(tmp_path: Path) -> None:
    counted = COUNTED.format(number=30, of="refused", least=3)
    rules = loaded(tmp_path, ours=[rule(20, "refused"), rule(21, "refused"), counted])
    for turn in range(2):
        detection, outbox = Detection(rules, timedelta()), Outbox(tmp_path / "detect.db")
        assert outbox.restore(detection) == frozenset({rules.correlations[0].id} if turn else ())
        for n in range(3):
            detection.take([failed(10 * turn + n, 100 * turn + n)], START)
        detection.flush(START)
        outbox.commit(detection, {}, {}, {})
        outbox.close()
        (tmp_path / "ours/1.yml").rename(tmp_path / "ours/+.yml") if not turn else None
        rules = load([tmp_path / "ours"], {})
        assert ends(rules) == [["21"]]
