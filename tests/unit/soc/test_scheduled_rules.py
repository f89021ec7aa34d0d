"""Each scheduled rule of the library: whole, and its cases do what they should."""

from __future__ import annotations

import pytest

from soc import placeholders
from soc.scheduled import Scheduled, load
from soc.scheduled.cases import folders, outcomes
from soc.sigma import OWN_RULES
from soc.sigma.check import of_folders
from tests.unit.soc.engine_support import lab

RULES, REFUSED = load([OWN_RULES], placeholders.of(lab()))


def test_all_can_be_used_and_are_whole() -> None:
    assert not REFUSED
    assert list(of_folders(folders(RULES))) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.origin.path.parent.name)
def test_cases_do_what_they_should(rule: Scheduled) -> None:
    done = list(outcomes([rule], lab()))
    assert {case.wrong for case in done} == {""}, [f"{case.case.name}: {case.wrong}" for case in done if case.wrong]
    assert {case.case.suffixes[-2] for case in done} == {".hit", ".miss"}
