"""Names of people as rules look for them."""

from __future__ import annotations

import pytest

from soc.placeholders import of, without_accents
from tests.unit.soc.engine_support import lab


@pytest.mark.parametrize(
    ("name", "plain"),
    [("Nguyễn Văn Mẫu", "Nguyen Van Mau"), ("Đỗ Thị Hường", "Do Thi Huong"), ("Le Van A", "Le Van A")],
)
def test_a_name_loses_its_marks_and_nothing_else(name: str, plain: str) -> None:
    assert without_accents(name) == plain


def test_leaders_are_looked_for_with_and_without_accents() -> None:
    names = of(lab())["leader_names"]
    assert "Nguyễn Văn Mẫu" in names
    assert "Nguyen Van Mau" in names
