"""What a broken province is told: every case is a few files laid over the skeleton, and the text beside them.

`tests/errors/inventory-<case>/` holds the files and `expected.txt`; `CANH_GOLDEN=write` rewrites the latter.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from inventory import InventoryError, load, validate
from inventory.init import write_skeleton

CASES = sorted((Path(__file__).parents[2] / "errors").glob("inventory-*"))


@pytest.fixture(scope="module")
def skeleton(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("skeleton") / "demo"
    write_skeleton("demo", folder)
    return folder


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.name.removeprefix("inventory-"))
def test_a_broken_province_is_told_what_where_and_how_to_fix(
    case: Path, skeleton: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(skeleton, tmp_path, dirs_exist_ok=True)
    shutil.copytree(case, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("expected.txt"))
    monkeypatch.chdir(tmp_path)
    findings = validate(Path())
    told = "".join(f"{finding}\n" for finding in findings)
    golden = case / "expected.txt"
    if os.environ.get("CANH_GOLDEN") == "write":
        golden.write_text(told, encoding="utf-8")
    assert findings, "the case breaks nothing"
    assert told == golden.read_text(encoding="utf-8")
    with pytest.raises(InventoryError) as refused:
        load(Path())
    assert list(refused.value.findings) == findings
    assert all(str(finding) in str(refused.value) for finding in findings)
