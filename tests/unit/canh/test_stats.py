"""`canh stats` says what detection, delivery and scheduled rules cut, held back or could not do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from canh import cli


def say(data_dir: Path, name: str, document: object) -> None:
    (data_dir / "stats").mkdir(exist_ok=True)
    (data_dir / "stats" / f"{name}.json").write_text(json.dumps(document), "utf-8")


def test_what_was_let_go_is_shown_and_what_was_not_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    say(
        tmp_path,
        "detect",
        {
            "at": "2026-11-22T13:00:00+00:00",
            "rules": 3,
            "correlations": 1,
            "events": 9,
            "matches": 4,
            "alerts": 2,
            "octets_behind": 7,
            "late": 0,
            "groups_evicted": 5,
            "refused_rules": ["a.yml:3: why"],
            "trouble": "two\nlines \x1b[31m",
        },
    )
    waits = {"chat": "answered 400", "duty": "an older reason"}
    channels = {"duty": {"waiting": 2, "sent": 1}, "chat": {"refused": 1}}
    say(tmp_path, "deliver", {"channels": channels, "waits_because": waits, "trouble": {"duty": "no answer"}})
    say(tmp_path, "scheduled", {"rules": {"x": {"title": "T", "skipped": "behind", "left_out": 8}}})
    assert cli.main(["--data", str(tmp_path), "stats"]) == 0
    lines = [
        line
        for line in capsys.readouterr().out.splitlines()
        if line.split(":")[0] in ("detection", "delivery", "scheduled")
    ]
    assert lines == [
        "detection: 9 events, 4 matches, 2 alerts; 3 rules and 1 correlations; 7 octets behind"
        " (as of 2026-11-22T13:00:00+00:00)",
        "detection: groups of correlations let go: 5",
        "detection: rule refused: a.yml:3: why",
        "detection: two lines \\x1b[31m",
        "delivery: chat: 1 refused",
        "delivery: duty: 1 sent, 2 waiting",
        "delivery: chat: answered 400",
        "delivery: duty: no answer",
        "scheduled: T: behind",
        "scheduled: T: 8 counts did not fit",
    ]
    assert cli.main(["--data", str(tmp_path), "--json", "stats"]) == 0
    assert json.loads(capsys.readouterr().out)["detect"]["groups_evicted"] == 5


def test_parts_that_never_ran_say_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "stats").mkdir()
    (tmp_path / "stats" / "detect.json").write_text("{")
    assert cli.main(["--data", str(tmp_path), "stats"]) == 0
    assert "detection" not in capsys.readouterr().out
