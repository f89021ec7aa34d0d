"""`canh hunt`: every event of months that fits, or that a rule meets, oldest first."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from canh.cli import main
from monitoring.store import StoreWriter
from tests.unit.monitoring.stored import NOON, event, put

RULE = """
title: A login failed
id: 6a6f0a52-6d0a-4b8e-9f5d-3d9d2c8f1a10
level: medium
logsource: {category: authentication}
detection:
  selection: {event.action: login, event.outcome: failure}
  condition: selection
"""
CORRELATION = """
title: Many logins failed
id: 0c1c9a3f-0a57-4a6e-8a2e-2f1df2d0b9c3
level: high
correlation:
  type: event_count
  rules: [6a6f0a52-6d0a-4b8e-9f5d-3d9d2c8f1a10]
  group-by: [source.ip]
  timespan: 5m
  condition: {gte: 5}
"""
FAILED = {"event.category": ("authentication",), "event.action": "login", "event.outcome": "failure"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty days, an event a day; on the tenth and the fortieth a burst of failed logins from one address."""
    events = [event(n, NOON + timedelta(days=n)) for n in range(60)]
    for start, day in ((100, 10), (200, 40)):
        events += [
            event(start + n, NOON + timedelta(days=day, seconds=n), **FAILED, **{"source.ip": "10.9.9.9"})
            for n in range(8)
        ]
    folder = tmp_path_factory.mktemp("data")
    with StoreWriter(folder) as writer:
        put(writer, events)
    return folder


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    for name, text in (("failed", RULE), ("many", CORRELATION)):
        (tmp_path / "rules" / name).mkdir(parents=True)
        (tmp_path / "rules" / name / "rule.yml").write_text(text)
    return tmp_path / "rules"


def hunted(capsys: pytest.CaptureFixture[str], data: Path, *words: str) -> list[dict[str, Any]]:
    assert main(["--data", str(data), "hunt", *words]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_query_finds_all_of_two_months_oldest_first(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = hunted(capsys, data, "event.outcome:failure")
    assert [int(e["event"]["id"][-12:]) for e in found] == [*range(100, 108), *range(200, 208)]


def test_from_and_to_bound_it(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = hunted(capsys, data, "", "--from", "2026-12-30", "--to", "2027-01-02", "--fields", "host.name")
    assert len(found) >= 3 and all(set(e) == {"host"} for e in found)


def test_rules_are_held_against_stored_events(data: Path, rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = hunted(capsys, data, "--rules", str(rules / "failed"))
    assert [int(f["event_id"][-12:]) for f in found] == [*range(100, 108), *range(200, 208)]
    assert found[0]["message"] == "line 100" and found[0]["host"] == "h1"
    assert found[0]["fields"] == {"event.action": "login", "event.outcome": "failure"}


def test_a_correlation_is_told_once_an_episode(data: Path, rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The rule it builds on raises no alert of its own then, so it is not told either."""
    found = hunted(capsys, data, "--rules", str(rules))
    assert [(f["title"], f["events"], f["level"]) for f in found] == [("Many logins failed", 5, "high")] * 2
    assert [f["fields"] for f in found] == [{"source.ip": "10.9.9.9"}] * 2
    assert [f["event_id"] for f in found] == [event(104).id, event(204).id]


def test_a_query_narrows_what_rules_are_shown(data: Path, rules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = hunted(capsys, data, "@timestamp:<2026-12-10", "--rules", str(rules))
    assert [f["event_id"] for f in found] == [event(104).id]


def test_progress_is_told_beside_the_data(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--data", str(data), "hunt", "event.outcome:failure"])
    assert "16 events looked at, 16 found" in capsys.readouterr().err
    main(["--data", str(data), "hunt", "event.outcome:failure", "--quiet"])
    assert capsys.readouterr().err == ""


def test_what_cannot_be_hunted_is_told(tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--data", str(data), "hunt"]) == 2
    assert main(["--data", str(data), "hunt", "user.name:("]) == 2
    assert main(["--data", str(tmp_path / "empty"), "hunt", "a"]) == 0
    assert "the store is empty" in capsys.readouterr().err
