"""Filters and rules of the province's own: replayed, agreed to, saved, in force."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from canh.cli import main
from soc import scheduled
from soc.rulesets import _asked, _folders, folders
from soc.sigma import RuleSet, load
from tests.unit.soc.stored_days import COUNTED, SOON, province_with_rules, stored
from tests.unit.soc.test_rulesets_import import assert_golden, laid

COUNTED_ID, REFUSED_ID = "00000000-0000-4000-8000-000000000002", "00000000-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stored(tmp_path_factory.mktemp("data"))


@pytest.fixture
def province(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With no rules beside its own: loading the library takes longer than these tests."""
    monkeypatch.setattr(_folders, "OWN_RULES", laid(tmp_path / "shipped", {"README.md": ""}))
    return province_with_rules(tmp_path / "province")


def said(province: Path, data: Path, *words: str, expires: str = SOON) -> int:
    start = ["--province", str(province), "--data", str(data), "--json", "rules"]
    why = ["--reason", "our own checks", "--author", "thanh", "--expires", expires] if words[0] == "filter" else []
    return main([*start, *words, *why])


def in_use(province: Path, data: Path) -> RuleSet:
    return load(folders(province, data)[1:], {})


@pytest.mark.parametrize("condition", ["source.ip=10.250.0.20", "source.port=23", "user.name=8", "source.port|gt=22"])
def test_an_exception_is_replayed_and_saved(
    province: Path, data: Path, condition: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(province, data, "filter", "refused", "--where", condition, "--yes") == 0
    told = {one["id"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}
    assert (told[COUNTED_ID]["alerts"], told[COUNTED_ID]["silenced"]) == ([20, 10], 10)
    rules = in_use(province, data)
    assert not rules.refused
    (kept,) = rules.filters
    assert (kept.rules, kept.reason, kept.author) == ((REFUSED_ID,), "our own checks", "thanh")
    assert said(province, data, "replay", "Counted event_count") == 0
    assert json.loads(capsys.readouterr().out)["alerts"] == [10, 10]


def test_conditions_on_a_correlation_are_put_on_what_it_counts(
    province: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--where", "source.ip=10.250.0.20", "--where", "source.port=23", "--yes")
    assert said(province, data, "filter", COUNTED_ID, *words) == 0
    (kept,) = in_use(province, data).filters
    assert kept.rules == (REFUSED_ID,)
    told = {one["id"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}
    assert told[COUNTED_ID]["silenced"] == 10


def test_a_correlation_is_switched_off(province: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(province, data, "filter", "Counted event_count", "--disable", "--yes") == 0
    told = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (told["alerts"], told["silenced"]) == ([20, 0], 20)
    rules = in_use(province, data)
    assert not rules.refused and rules.filters[0].disables and not rules.correlations[0].alerts


def test_nothing_is_saved_unless_somebody_agrees(
    province: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(province, data, "filter", "refused", "--disable", "--no-replay") == 2
    assert_golden("filter-nobody-asked", capsys.readouterr().err.split("\n\n")[1].strip())
    assert not (province / "rules/filters").exists()


REFUSED = {
    "filter-unknown-field": ("refused", "--where", "user.nickname=an"),
    "filter-no-condition": ("refused", "--where", "user.name"),
    "filter-nothing-said": ("refused",),
    "filter-unknown-rule": ("no-such-rule", "--disable"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_filter_is_told(province: Path, data: Path, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(province, data, "filter", *REFUSED[case], "--yes") == 2
    assert_golden(case, capsys.readouterr().err.strip())


def test_a_filter_that_spoils_the_rule_is_told_with_its_reason(
    province: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(province, data, "filter", "refused", "--where", "user.name|re=[", "--yes", "--no-replay") == 2
    assert_golden("filter-spoils-the-rule", capsys.readouterr().err.split("\n\n")[1].strip())
    assert not (province / "rules/filters").exists()


def test_a_filter_that_is_over_is_not_kept(
    province: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("filter", "refused", "--where", "user.name=an")
    assert said(province, data, *words, "--yes", expires="2020-01-01") == 2
    assert_golden("filter-over", capsys.readouterr().err.strip())
    assert said(province, data, *words, "--yes", "--no-replay") == 0
    (kept,) = (province / "rules/filters").iterdir()
    kept.rename(tmp_path / "old.yml")
    (tmp_path / "old.yml").write_text((tmp_path / "old.yml").read_text("utf-8").replace(SOON, "2020-01-01"), "utf-8")
    capsys.readouterr()
    assert said(province, data, "replay", "--filter", str(tmp_path / "old.yml")) == 2
    assert "the filter is over since 2020-01-01" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("--days", "0"), ("--days", "many"), ("--minutes", "0"), ("--minutes", "nan")])
def test_how_much_is_looked_at_is_more_than_nothing(province: Path, data: Path, words: tuple[str, str]) -> None:
    with pytest.raises(SystemExit):
        said(province, data, "replay", "refused", *words)


def test_a_store_that_is_away_does_not_hold_up_what_must_be_saved(
    province: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CANH_STORE", "elasticsearch://127.0.0.1:1")
    assert said(province, tmp_path, "filter", "refused", "--disable", "--yes") == 2
    err = capsys.readouterr().err
    assert "no answer" in err and "; or save it without looking: --no-replay" in err
    assert not (province / "rules/filters").exists()
    assert said(province, tmp_path, "filter", "refused", "--disable", "--yes", "--no-replay") == 0
    assert len(list((province / "rules/filters").iterdir())) == 1


def test_what_is_not_there_is_told(
    province: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words in (
        ("replay", "no/such.yml"),
        ("add", "no/such.yml", "--as", "x/y"),
        ("replay", "--filter", "no/such.yml"),
    ):
        assert said(province, data, *words) == 2
        assert_golden("replay-no-such-file", capsys.readouterr().err.strip())
    (tmp_path / "nothing").mkdir()
    assert said(province, data, "add", str(tmp_path / "nothing"), "--as", "x/y") == 2
    assert "no rule file" in capsys.readouterr().err
    (tmp_path / "set.tar.gz").write_bytes(b"\x1f\x8b")
    assert said(province, data, "replay", str(tmp_path / "set.tar.gz")) == 2
    assert "unpack an archive" in capsys.readouterr().err


def test_days_of_which_nothing_is_stored_are_not_called_quiet(
    province: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(province, data, "replay", "refused", "--from", "2030-01-01") == 0
    out, err = capsys.readouterr()
    assert out == "" and "nothing is stored of that time, only of 2026-11-22 13:00Z" in err
    assert said(province, data, "replay", "refused", "--from", "2026-01-01") == 0
    out, err = capsys.readouterr()
    assert json.loads(out) and "the store begins at 2026-11-22 13:00Z" in err
    assert said(province, data, "replay", "refused", "--from", "2026-01-01", "--days", "3") == 2
    assert_golden("replay-days-and-from", capsys.readouterr().err.strip())


def test_a_filter_ends_within_a_year(province: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(province, data, "filter", "refused", "--disable", "--yes", expires="2099-01-01") == 2
    assert "more than a year ahead" in capsys.readouterr().err


def test_a_rule_is_replayed_and_taken_in(
    province: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "odd-login"
    (folder / "tests").mkdir(parents=True)
    text = COUNTED.replace("gte: 5", "gte: 8").replace("Counted event_count", "Eight at once")
    lines = [line[4:] for line in text.replace(COUNTED_ID, COUNTED_ID[:-1] + "3").splitlines()]
    (folder / "rule.yml").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "tests/eight.hit.log").write_text("a line\n", "utf-8")
    assert said(province, data, "add", str(folder), "--as", "access/odd-login", "--yes") == 0
    told = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (told["title"], told["alerts"], told["added"]) == ("Eight at once", [0, 20], 20)
    assert (province / "rules/access/odd-login/tests/eight.hit.log").is_file()
    assert "Eight at once" in {rule.title for rule in in_use(province, data).all}
    assert said(province, data, "add", str(folder), "--as", "access/odd-login", "--yes", "--no-replay") == 2
    assert "there is a rule already" in capsys.readouterr().err
    assert said(province, data, "add", str(folder), "--as", "../up", "--yes", "--no-replay") == 2


def test_a_rule_that_cannot_be_used_is_not_taken_in(
    province: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rule = tmp_path / "broken.yml"
    rule.write_text("title: Broken\ndetection: {s: {a|nonsense: 1}, condition: s}\n", "utf-8")
    assert said(province, data, "add", str(rule), "--as", "access/broken", "--yes") == 2
    assert "it cannot be used" in capsys.readouterr().err
    assert not (province / "rules/access").exists()


def test_the_list_tells_what_is_off_and_until_when(
    province: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(province, data, "filter", "refused", "--where", "user.name=8", "--yes", "--no-replay") == 0
    assert said(province, data, "filter", "Counted event_count", "--disable", "--yes", "--no-replay") == 0
    capsys.readouterr()
    assert main(["--province", str(province), "--data", str(data), "rules", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    why = f"until {SOON}: our own checks (thanh)]"
    assert [line for line in lines if "Refused  [excepted " + why in line]
    assert [line for line in lines if "Counted event_count  [off " + why in line]
    assert said(province, data, "list") == 0
    listed = {one["id"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}
    assert [f["disables"] for f in listed[COUNTED_ID]["filters"]] == [True]


@pytest.mark.parametrize("verb", ["check", "test"])
def test_a_name_that_chooses_nothing_is_told(
    province: Path, data: Path, verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(province, data, verb, "no-such-folder") == 2
    assert_golden("only-unknown-name", capsys.readouterr().err.strip())


SCHEDULED = """
title: A new account
id: 00000000-0000-4000-8000-000000000006
level: high
logsource: {category: authentication}
detection: {selection: {event.action: login}, condition: selection}
canh: {scheduled: {kind: first_seen, field: user.name, group-by: [host.name], every: 5m, over: 12h, learn: 30m}}
"""
# Each day somebody comes at one, and somebody who was not seen for half a day at two (UTC).
AN_AFTERNOON = ("--from", "2026-11-30T19:00", "--to", "2026-11-30T22:00")


@pytest.mark.parametrize(
    ("words", "alerts"), [(("--where", "user.name=8"), True), (("--disable",), False)], ids=["excepted", "off"]
)
def test_a_scheduled_rule_is_replayed_and_filtered_too(
    province: Path, data: Path, words: tuple[str, ...], alerts: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    laid(province / "rules/scheduled/new-account", {"rule.yml": SCHEDULED})
    ((before,), _) = scheduled.load([province / "rules"], {})
    assert said(province, data, "filter", "new-account", *words, "--yes", *AN_AFTERNOON) == 0
    (told,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (told["alerts"], told["silenced"], told["added"]) == ([1, 0], 1, 0)
    assert told["samples"]["silenced"][0] == {
        "raised": "2026-11-30T14:05:00+00:00",
        "first": "2026-11-30T14:00:00+00:00",
        "last": "2026-11-30T14:00:07+00:00",
        "device": "dc-app1",
        "group": {"host.name": "dc-app1", "user.name": "8"},
        "events": 8,
    }
    ((after,), refused) = scheduled.load([province / "rules"], {})
    assert not refused and not in_use(province, data).refused
    assert after.alerts is alerts and after.digest != before.digest and after.node != before.node
    assert scheduled.load([province / "rules"], {}, date(2099, 1, 1))[0] == (before,), "over, it is as it was"
    assert said(province, data, "replay", "new-account", *AN_AFTERNOON) == 0
    assert json.loads(capsys.readouterr().out)["alerts"] == [0, 0]
    (kept,) = (province / "rules/filters").iterdir()
    assert said(province, data, "replay", "--filter", str(kept), *AN_AFTERNOON) == 0, "in force, it changes nothing"
    assert json.loads(capsys.readouterr().out)["alerts"] == [0, 0]


def test_a_filter_of_scheduled_rules_and_others_is_replayed_on_both(
    province: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    laid(province / "rules/scheduled/new-account", {"rule.yml": SCHEDULED})
    assert said(province, data, "filter", "new-account", "refused", "--disable", "--yes", *AN_AFTERNOON) == 0
    told = {one["title"]: one for one in map(json.loads, capsys.readouterr().out.splitlines())}
    assert {title: one["silenced"] for title, one in told.items()} == {
        "A new account": 1,
        "Counted event_count": 2,
        "Refused": 0,  # it only feeds
    }
    assert not in_use(province, data).refused


def test_a_scheduled_rule_is_replayed_and_taken_in(
    province: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = laid(tmp_path / "new-account", {"rule.yml": SCHEDULED})
    assert said(province, data, "add", str(new), "--as", "access/new-account", "--yes", *AN_AFTERNOON) == 0
    (told,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (told["title"], told["alerts"], told["added"]) == ("A new account", [0, 1], 1)
    laid(new, {"rule.yml": SCHEDULED.replace("learn: 30m", "learn: 2h")})
    assert said(province, data, "replay", str(new), *AN_AFTERNOON) == 0
    assert json.loads(capsys.readouterr().out)["silenced"] == 1, "it takes the place of the one in use"


def test_text_says_what_of_a_scheduled_rule_is_unknown(
    province: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    every = SCHEDULED.replace("every: 5m, over: 12h, learn: 30m", "every: 2h, over: 30d")
    laid(province / "rules/scheduled/new-account", {"rule.yml": every})
    start = ["--province", str(province), "--data", str(data), "rules"]
    assert main([*start, "replay", "new-account"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "A new account (high): 0 alerts"
    since = "events of it are stored since 2026-11-22 13:00Z"
    days = "2026-11-17 to 2026-11-21, 2026-11-22 (7 of 12 times)"
    assert lines[1] == f"    unknown: {since}, too late to judge: {days}"
    days = "2026-11-22 (5 of 12 times), 2026-11-23 to 2026-12-01"
    assert lines[2] == f"    unknown: nothing reached the store in the minutes before it was due: {days}"


def test_a_scheduled_rule_that_a_filter_in_force_spoils_is_told(
    province: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    laid(province / "rules/scheduled/new-account", {"rule.yml": SCHEDULED})
    assert said(province, data, "filter", "new-account", "--where", "user.name=8", "--yes", "--no-replay") == 0
    (kept,) = (province / "rules/filters").iterdir()
    kept.write_text(kept.read_text("utf-8").replace("user.name:", "user.name|re:"), "utf-8")
    capsys.readouterr()
    assert said(province, data, "replay", "new-account", *AN_AFTERNOON) == 0
    out, err = capsys.readouterr()
    assert out == "" and "refused: " in err and "a filter on it cannot be asked for" in err


def test_what_had_no_room_is_told(
    province: Path, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_asked, "MOST_ALERTS", 0)
    laid(province / "rules/scheduled/new-account", {"rule.yml": SCHEDULED})
    assert said(province, data, "replay", "new-account", *AN_AFTERNOON) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["asked"]["left_out"] == 1
    assert "A new account: 1 counts and alerts had no room" in err


def test_what_a_store_cannot_be_asked_is_no_filter_of_a_scheduled_rule(
    province: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    laid(province / "rules/scheduled/new-account", {"rule.yml": SCHEDULED})
    for more in ((), ("--no-replay",)):
        assert said(province, data, "filter", "new-account", "--where", "user.name|re=^a.*", "--yes", *more) == 2
        assert_golden("filter-not-for-a-store", capsys.readouterr().err.split("\n\n")[1].strip())
    assert not (province / "rules/filters").exists()
