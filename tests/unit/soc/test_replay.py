"""Replay: what a rule or a filter would have raised and silenced over stored days, before it is saved."""

from __future__ import annotations

import json
import textwrap
from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from canh.cli import main
from monitoring.store import StoreWriter, reader
from soc.rulesets import Library, Replay, _folders, _replay
from soc.rulesets._reach import reach_of
from soc.rulesets._sources import golden_events
from soc.sigma import LogSource, Matcher, RuleSet, encode
from tests.unit.monitoring.stored import NOON, event, put
from tests.unit.soc.engine_support import FAILED, alerts, correlation, failed, own_rules, rules_of, run
from tests.unit.soc.stored_days import COUNTED, SOON, province_with_rules, stored
from tests.unit.soc.test_rulesets_import import laid


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stored(tmp_path_factory.mktemp("data"))


@pytest.fixture
def province(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With no rules beside its own: loading the library takes longer than these tests."""
    monkeypatch.setattr(_folders, "OWN_RULES", laid(tmp_path / "shipped", {"README.md": ""}))
    return province_with_rules(tmp_path / "province")


def filter_file(folder: Path, where: str = "{source.ip: 10.250.0.20}", rule: str = "refused") -> Path:
    text = f"""
    title: Our own checks
    id: 00000000-0000-4000-8000-000000000009
    filter:
        rules: [{rule}]
        checks: {where}
        condition: not checks
    canh: {{reason: our own checks, author: thanh, expires: {SOON}}}
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "checks.yml"
    path.write_text(textwrap.dedent(text), "utf-8")
    return path


def said(capsys: pytest.CaptureFixture[str], province: Path, data: Path, *words: str) -> dict[str, dict[str, Any]]:
    assert main(["--province", str(province), "--data", str(data), "--json", "rules", "replay", *words]) == 0
    return {one["title"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}


def test_a_rule_is_replayed_as_it_is(data: Path, province: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = said(capsys, province, data, "Counted event_count")
    assert set(told) == {"Counted event_count"}
    assert told["Counted event_count"]["alerts"] == [20, 20]
    assert told["Counted event_count"]["by_device"] == {"dc-app1": [20, 20]}
    assert len(told["Counted event_count"]["by_day"]) == 10


def test_a_filter_shows_what_it_silences_before_it_is_saved(
    data: Path, province: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = said(capsys, province, data, "--filter", str(filter_file(tmp_path / "new")))
    counted = told["Counted event_count"]
    assert (counted["alerts"], counted["silenced"], counted["added"]) == ([20, 10], 10, 0)
    assert counted["samples"]["silenced"][0]["group"] == {"source.ip": "10.250.0.20"}
    assert counted["by_day"]["2026-11-22"] == [2, 1]


def test_an_alert_that_loses_its_first_event_is_not_silenced(
    data: Path, province: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = filter_file(tmp_path / "new", where="{'event.original|endswith': '0'}")
    counted = said(capsys, province, data, "--filter", str(path))["Counted event_count"]
    assert (counted["alerts"], counted["silenced"], counted["added"]) == ([20, 20], 0, 0)
    assert counted["events"] == [160, 140]


def test_a_new_rule_shows_what_it_would_have_raised(
    data: Path, province: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule = tmp_path / "new.yml"
    text = correlation("event_count", "{gte: 8}", number=3).replace("Counted event_count", "Eight at once")
    rule.write_text(textwrap.dedent(text), "utf-8")
    told = said(capsys, province, data, str(rule), "--from", "2026-11-25")
    assert set(told) == {"Eight at once"}
    assert (told["Eight at once"]["alerts"], told["Eight at once"]["added"]) == ([0, 14], 14)


def test_a_changed_rule_takes_the_place_of_the_one_in_use(
    data: Path, province: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule = tmp_path / "new.yml"
    rule.write_text(textwrap.dedent(COUNTED.replace("gte: 5", "gte: 9")), "utf-8")
    told = said(capsys, province, data, str(rule))
    assert (told["Counted event_count"]["alerts"], told["Counted event_count"]["silenced"]) == ([20, 0], 20)


def test_a_folder_is_replayed_without_what_of_it_cannot_be_used(
    data: Path, province: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "community"
    place.mkdir()
    (place / "good.yml").write_text(textwrap.dedent(ALONE.replace("user.name: root", "user.name: '7'")), "utf-8")
    (place / "bad.yml").write_text("title: Bad\ndetection: {s: {a|nonsense: 1}, condition: s}\n", "utf-8")
    start = ["--province", str(province), "--data", str(data), "--json", "rules", "replay", str(place)]
    assert main(start) == 0
    out, err = capsys.readouterr()
    (told,) = map(json.loads, out.splitlines())
    assert (told["title"], told["added"]) == ("Root is refused", 10)
    assert "refused: " in err and "bad.yml" in err


def test_text_for_people_says_the_same(data: Path, province: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--province", str(province), "--data", str(data), "rules", "replay", "Counted event_count"]) == 0
    out, err = capsys.readouterr()
    assert "Counted event_count (high): 20 alerts" in out
    assert "160 events" in err


ALONE = """
    title: Root is refused
    id: 00000000-0000-4000-8000-000000000005
    logsource: {category: authentication}
    detection:
        selection: {event.action: login, event.outcome: failure, user.name: root}
        condition: selection
    level: medium
"""
MOMENTS = st.one_of(st.integers(0, 200), st.integers(0, 9000))  # seconds: bursts, and more than an hour
GUESSES = st.lists(st.tuples(MOMENTS, st.sampled_from(["10.9.9.9", "10.9.9.8"]), st.booleans()), max_size=60)


@cache
def three_rules() -> RuleSet:
    with TemporaryDirectory() as place:
        return rules_of(Path(place) / "rules", FAILED, COUNTED, ALONE)


@settings(deadline=None, max_examples=40)
@given(GUESSES)
def test_replay_and_the_stream_raise_the_same(guesses: list[tuple[int, str, bool]]) -> None:
    """The same alerts by their ids, over seconds to more than an hour."""
    events = [
        failed(number, seconds, source__ip=address, user__name="root" if is_root else "an")
        for number, (seconds, address, is_root) in enumerate(sorted(guesses))
    ]
    live = {alert_id for alert_id, *_ in alerts(run(three_rules(), events))}
    replay = Replay(Library(rules=three_rules(), placeholders={}).as_it_is(), timedelta(seconds=2))
    replay.take(events)
    effects = replay.effects()
    assert set(replay._sides[0]._raised) == live
    assert sum(effect.alerts[0] for effect in effects) == len(live)


def test_what_there_is_no_room_for_is_told(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_replay, "MOST_ALERTS", 3)
    plan = Library(rules=rules_of(tmp_path, FAILED, COUNTED), placeholders={}).as_it_is()
    replay = Replay(plan, timedelta(seconds=2))
    replay.take(reader(data).scan("", oldest_first=True))
    assert sum(effect.alerts[0] for effect in replay.effects()) == 3
    assert replay.counters["alerts_beyond_the_most"] >= 17


def test_what_is_no_rule_is_told(
    data: Path, province: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = ["--province", str(province), "--data", str(data), "rules", "replay"]
    assert main([*start, "no-such-rule"]) == 2
    assert "no rule is called no-such-rule" in capsys.readouterr().err
    path = filter_file(tmp_path / "new", rule="no-such-rule")
    assert main([*start, "--filter", str(path)]) == 2
    assert "of no rule that is loaded" in capsys.readouterr().err


def test_no_event_a_rule_meets_is_left_unread(tmp_path: Path) -> None:
    """Of everything the parsers are known to make, held against every shipped rule."""
    made = [fields for events in golden_events().values() for fields in events]
    events = [
        event(number, NOON + timedelta(seconds=number), **{**_tuples(fields), "canh.receiver": "syslog-tls"})
        for number, fields in enumerate(made)
    ]
    with StoreWriter(tmp_path) as writer:
        put(writer, events)
    store = reader(tmp_path)
    met: dict[LogSource, set[int]] = {}
    for match in Matcher(own_rules()).match([encode(one) for one in events]):
        met.setdefault(match.rule.logsource, set()).add(match.event)
    assert len(met) > 10
    for source in met:
        one = next(rule for rule in own_rules().rules if rule.logsource == source)
        if query := reach_of([one]):
            read = {int(found.id[-12:]) for found in store.scan(query)}
            assert met[source] <= read, source


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    return {name: value for name, value in given.items() if not name.startswith("@")}
