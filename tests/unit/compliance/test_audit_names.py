"""Names of audit runs: the chain of evidence goes from name to name, so they sort as the runs followed each other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from compliance.audit import name_after

NOW = datetime(2026, 11, 22, 18, 5, 21, 250000, UTC)


@pytest.mark.parametrize("step", [timedelta(seconds=1), timedelta(0), timedelta(microseconds=1), -timedelta(hours=3)])
def test_a_run_sorts_behind_those_before_it(step: timedelta) -> None:
    """Within a second, within a microsecond, and by a clock that is put back."""
    names, at = [""], NOW
    for _ in range(50):
        names.append(name_after(names[-1], at))
        at += step
    assert names == sorted(names)
    assert names[1].startswith("20261122T180521250000Z-")


def test_a_run_sorts_behind_one_whose_name_says_seconds() -> None:
    earlier = "20261122T180521Z-dd6812"
    assert name_after(earlier, NOW) > earlier
    assert name_after(earlier, NOW + timedelta(seconds=2)).startswith("20261122T180523250000Z-")
