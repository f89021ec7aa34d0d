"""Where rules come from: the shipped library, a province's own, imported sets."""

from __future__ import annotations

from pathlib import Path

from soc.rulesets import folders
from soc.sigma import OWN_RULES


def test_rules_come_from_the_library_the_province_and_each_whole_set(tmp_path: Path) -> None:
    province, data = tmp_path / "province", tmp_path / "data"
    assert folders(province, data) == (OWN_RULES,)
    (province / "rules").mkdir(parents=True)
    for name in ("b-set", "a-set", ".b-set.new"):
        (data / "rules" / name / "rules").mkdir(parents=True)
    (data / "rules/notes").mkdir()
    own, sets = province / "rules", data / "rules"
    assert folders(province, data) == (OWN_RULES, own, sets / "a-set/rules", sets / "b-set/rules")
