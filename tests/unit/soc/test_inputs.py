"""Rules and inventory that change while detection runs."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from soc.errors import SocError
from soc.inputs import Inputs, Loaded
from soc.sigma.errors import RuleError


class Loader:
    """Counts loads; fails when told."""

    def __init__(self) -> None:
        self.loads, self.wrong = 0, False

    def __call__(self) -> Loaded:
        self.loads += 1
        if self.wrong:
            raise RuleError("no rules", where="rules", fix="put some there")
        return Loaded(None, None)  # type: ignore[arg-type]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "a" / "tests").mkdir(parents=True)
    (tmp_path / "a" / "rule.yml").write_text("title: a")
    return tmp_path


def test_nothing_is_loaded_while_nothing_changes(place: Path) -> None:
    load = Loader()
    inputs = Inputs(lambda: [place], load)
    assert [inputs.changed() for _ in range(3)] == [None] * 3
    (place / "a" / "tests" / "case.hit.ndjson").write_text("{}")
    (place / "a" / "triage.md").write_text("## Sees")
    assert [inputs.changed() for _ in range(3)] == [None] * 3
    assert load.loads == 0


@pytest.mark.parametrize("how", ["edited", "new", "gone", "replaced"])
def test_a_change_is_taken_once_it_stands_still(place: Path, how: str) -> None:
    load = Loader()
    inputs = Inputs(lambda: [place], load)
    rule = place / "a" / "rule.yml"
    if how == "edited":
        rule.write_text("title: another")
    elif how == "new":
        (place / "b.yaml").write_text("title: b")
    elif how == "gone":
        rule.unlink()
    else:
        (place / "fresh").write_text("title: b")
        (place / "fresh").replace(rule)
    assert inputs.changed() is None
    assert inputs.changed() is not None
    assert inputs.changed() is None
    assert load.loads == 1


def test_what_cannot_be_used_is_told_until_it_is_mended(place: Path) -> None:
    load = Loader()
    inputs = Inputs(lambda: [place], load)
    load.wrong = True
    (place / "a" / "rule.yml").write_text("title: [")
    assert [inputs.changed(), inputs.changed(), inputs.changed()] == [None] * 3
    assert "cannot be used: no rules" in inputs.trouble
    assert load.loads == 1
    load.wrong = False
    (place / "a" / "rule.yml").write_text("title: mended")
    assert inputs.changed() is None
    assert inputs.changed() is not None
    assert inputs.trouble == ""


def test_a_new_day_is_a_change_because_filters_expire(place: Path) -> None:
    days = [date(2026, 11, 22)]
    inputs = Inputs(lambda: [place], Loader(), lambda: days[0])
    days[0] = date(2026, 11, 23)
    assert inputs.changed() is None
    assert inputs.changed() is not None


def test_a_place_that_goes_away_is_a_change_and_no_error(place: Path) -> None:
    places = [place, place / "b"]
    inputs = Inputs(lambda: places, Loader())
    (place / "b").mkdir()
    (place / "b" / "rule.yml").write_text("title: b")
    inputs.changed()
    assert inputs.changed() is not None
    assert issubclass(RuleError, SocError)
