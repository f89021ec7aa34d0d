"""The rule library: its cases, its completeness, and the text of every refusal."""

from __future__ import annotations

import os
import re
from datetime import date
from pathlib import Path

import pytest

from soc import placeholders, scheduled
from soc.rulesets import findings as whole
from soc.scheduled.cases import folders as scheduled_folders
from soc.sigma import OWN_RULES, Correlation, Kind, load
from soc.sigma.check import findings
from soc.sigma.library import CaseError, Folder, Scene, folders, outcomes
from tests.unit.soc.engine_support import ROOT, lab, own_rules, rules_of

ERRORS = ROOT / "tests/errors/rules"
FOLDERS = folders(own_rules())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.slug)
def test_hits_alert_and_misses_stay_quiet(folder: Folder) -> None:
    wrong = {o.case.name: o.wrong for o in outcomes(own_rules(), lab(), [folder]) if o.wrong}
    assert not wrong
    assert len(folder.cases) >= 2


def test_the_library_is_whole() -> None:
    values = placeholders.of(lab())
    asked, refused = scheduled.load([OWN_RULES], values)
    assert not refused
    found = whole(own_rules(), values, [OWN_RULES], date(2026, 11, 22), scheduled_folders(asked))
    assert [str(finding) for finding in found.offences] == []


def test_the_lab_has_rules_enough() -> None:
    rules = own_rules()
    assert len(FOLDERS) >= 18
    assert len(rules.correlations) >= 4
    assert {c.kind for c in rules.correlations} >= {Kind.EVENT_COUNT, Kind.VALUE_COUNT, Kind.TEMPORAL_ORDERED}


def test_what_only_feeds_never_alerts() -> None:
    rules = own_rules()
    silent = {rule.name for rule in rules.rules if not rule.alerts}
    assert silent >= {"login_failed", "login_succeeded", "connection_denied"}
    fed = {rule for c in rules.correlations for rule in c.rules}
    assert {rule.id for rule in rules.all if not rule.alerts} <= fed


def test_a_case_says_when_it_happens_and_what_a_change_may_touch(tmp_path: Path) -> None:
    case = tmp_path / "sunday.hit.log"
    line = "<38>1 - hh-ce1 sshd 1 - - Accepted publickey for quantri from 10.250.0.10 port 50000 ssh2"
    case.write_text(f"# at: 2026-03-01T23:30:00+07:00\n# radius: hh-ce1\n# from: hh-ce1\n{line}\n", "utf-8")
    (event,) = Scene(case, lab(), tmp_path / "data").events()
    assert event.received.isoformat() == "2026-03-01T16:30:00.100000+00:00"
    assert event.get("canh.change.in_radius") is True
    case.write_text("# at: on Sunday\nline\n", "utf-8")
    with pytest.raises(CaseError, match="'at' wants a moment"):
        Scene(case, lab(), tmp_path / "data").events()


@pytest.mark.parametrize(
    ("said", "agreed"), [("", None), ("# change-hours: 22-5", False), ("# change-hours: 9-17", True)]
)
def test_a_case_says_when_changes_are_agreed_to(tmp_path: Path, said: str, agreed: bool | None) -> None:
    case = tmp_path / "monday-at-ten.hit.log"
    line = "<189>30: hh-ce1: Mar  2 10:00:01.123: %SYS-5-CONFIG_I: Configured from console by quantri on vty0"
    case.write_text(f"{said}\n# change: hh-ce1\n# from: hh-ce1\n{line}\n", "utf-8")
    (event,) = Scene(case, lab(), tmp_path / "data").events()
    assert event.get("canh.change.in_window") is agreed
    assert lab().policy.change_hours is None, "only within the case"


@pytest.mark.parametrize("hours", ["", "22", "22-", "22-25", "24-5", "at night", "-1-5"])
def test_change_hours_that_are_none_are_told(tmp_path: Path, hours: str) -> None:
    case = tmp_path / "x.hit.log"
    case.write_text(f"# change-hours: {hours}\nline\n", "utf-8")
    with pytest.raises(CaseError, match="'change-hours' wants two hours"):
        Scene(case, lab(), tmp_path / "data").events()


@pytest.mark.parametrize("case", sorted(ERRORS.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_bad_rule_is_refused_with_its_place_and_reason(case: Path) -> None:
    places = [case, OWN_RULES / "access/login-failed/rule.yml", OWN_RULES / "access/ssh-bruteforce/rule.yml"]
    rules = load(places, placeholders.of(lab()), today=date(2026, 11, 22))
    said = "\n".join(str(refusal).replace(f"{ERRORS}/", "") for refusal in rules.refused) + "\n"
    golden = case.with_suffix(".txt")
    if os.environ.get("CANH_GOLDEN") == "write":
        golden.write_text(said, "utf-8")
    assert said == golden.read_text("utf-8")
    assert re.match(rf"{case.name}:\d+: ", said)
    assert [rule.name for rule in rules.rules] == ["login_failed"], "the others go on"


def test_two_rules_of_one_id_are_not_both_used(tmp_path: Path) -> None:
    text = (OWN_RULES / "access/login-failed/rule.yml").read_text("utf-8")
    rules = rules_of(tmp_path, text, text.replace("Login failed", "Login failed again"))
    assert len(rules.rules) == 1
    assert "is taken by" in rules.refused[0].reason


def test_correlations_in_a_circle_are_refused(tmp_path: Path) -> None:
    texts = [
        f"""
        title: Circle {one}
        id: 00000000-0000-4000-8000-00000000000{one}
        correlation:
            type: event_count
            rules: [00000000-0000-4000-8000-00000000000{other}]
            timespan: 1m
            condition: {{gte: 2}}
        """
        for one, other in ((1, 2), (2, 1))
    ]
    rules = rules_of(tmp_path, *texts)
    assert not rules.correlations
    assert len(rules.refused) == 2


def test_a_changed_rule_changes_the_digest_of_the_set(tmp_path: Path) -> None:
    text = (OWN_RULES / "access/login-failed/rule.yml").read_text("utf-8")
    before = rules_of(tmp_path / "a", text).digest
    assert rules_of(tmp_path / "b", text).digest == before
    assert rules_of(tmp_path / "c", text.replace("failure", "success")).digest != before


def test_an_incomplete_folder_is_told_in_full(tmp_path: Path) -> None:
    folder = tmp_path / "access/half"
    folder.mkdir(parents=True)
    text = (OWN_RULES / "access/default-account/rule.yml").read_text("utf-8")
    text = re.sub(r"(?ms)^tags:.*?^logsource", "logsource", text).replace("user.name", "user.nickname")
    (folder / "rule.yml").write_text(text, "utf-8")
    values = placeholders.of(lab())
    said = " ".join(finding.reason for finding in findings(load([tmp_path], values), values))
    for word in ("missing", "no hit case", "no miss case", "tags is missing", "ATT&CK", "user.nickname"):
        assert word in said


def test_every_kind_of_correlation_loads(tmp_path: Path) -> None:
    feeder = (OWN_RULES / "access/login-failed/rule.yml").read_text("utf-8")
    texts = [
        f"""
        title: Kind {kind}
        id: 00000000-0000-4000-8000-0000000000{number:02}
        correlation:
            type: {kind}
            rules: [login_failed]
            timespan: 1m
            condition: {{gte: 1, field: source.port}}
        """
        for number, kind in enumerate(Kind, 10)
    ]
    rules = rules_of(tmp_path, feeder, *texts)
    assert not rules.refused
    assert {c.kind for c in rules.correlations if isinstance(c, Correlation)} == set(Kind)
