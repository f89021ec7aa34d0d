"""The verbs that touch no device, as the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from canh.cli import main
from network.platform import FOLDER

CASE = FOLDER / "frr/tests/interface-lines"


def test_diff_prints_change_and_rollback_and_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(CASE / "running.conf"), str(CASE / "intended.conf")]
    assert main(["diff", "--platform", "frr", *files, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "change": (CASE / "change.conf").read_text(encoding="utf-8").splitlines(),
        "rollback": (CASE / "rollback.conf").read_text(encoding="utf-8").splitlines(),
    }
    assert main(["--json", "diff", "--platform", "frr", *files]) == 1
    assert json.loads(capsys.readouterr().out) == told


def test_diff_of_equals_ends_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diff", "--platform", "frr", str(CASE / "running.conf"), str(CASE / "running.conf"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"change": [], "rollback": []}


@pytest.mark.parametrize(
    "arguments",
    [
        ["diff", "--platform", "ios", "a", "b"],
        ["diff", "--platform", "frr", "/nowhere/a", "/nowhere/b"],
        ["render", "hanoi", "-o", "x"],
        ["render", "-o", "/dev/null/x"],
        ["plan"],
        ["apply", "hh", "--yes"],
        ["apply", "0123abcd"],
        ["drift"],
        ["rollback", "0123abcd"],
    ],
)
def test_what_cannot_be_run_ends_with_2_and_says_how_to_fix_it(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["--data", str(tmp_path), *arguments]) == 2
    told = capsys.readouterr()
    assert "fix: " in told.err and not told.out


def test_render_writes_a_file_a_router(tmp_path: Path) -> None:
    assert main(["render", "core", "hh-ce1", "-o", str(tmp_path / "out")]) == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["core1.conf", "core2.conf", "hh-ce1.conf"]
    assert main(["render", "core", "hh-ce1", "-o", str(tmp_path / "out")]) == 0
