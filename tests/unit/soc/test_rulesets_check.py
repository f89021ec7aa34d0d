"""What `canh rules check` finds in a library as a whole."""

from __future__ import annotations

import re
import shutil
from datetime import date
from pathlib import Path

import pytest

from soc import placeholders
from soc.rulesets import REGISTER, Findings, findings, registered
from soc.sigma import OWN_RULES, load
from soc.sigma.attack import attack, strange_tags
from tests.unit.soc.engine_support import lab

TODAY = date(2026, 11, 22)
FILTER = """
title: Our own checks
id: {id}
filter: {{rules: [login_failed], checks: {{user.name: giamsat}}, condition: not checks}}
canh: {{reason: our own checks, author: thanh, expires: {expires}}}
"""


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Two rules of the shipped ones."""
    place = tmp_path / "rules"
    for name in ("access/login-failed", "access/ssh-bruteforce"):
        shutil.copytree(OWN_RULES / name, place / name)
    return place


def found(library: Path) -> Findings:
    values = placeholders.of(lab())
    return findings(load([library], values, today=TODAY), values, [library], TODAY)


def said(library: Path) -> str:
    return "\n".join(str(finding).replace(f"{library}/", "") for finding in found(library).offences)


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def test_a_whole_library_has_no_findings(library: Path) -> None:
    assert said(library) == ""


def test_a_copy_under_another_name_is_found(library: Path) -> None:
    copy = library / "access/refused-again"
    shutil.copytree(library / "access/login-failed", copy)
    rule = copy / "rule.yml"
    text = rule.read_text("utf-8")
    text = re.sub(r"(?m)^(id|name|title|    title_vi):.*", lambda m: f"{m[1]}: {COPIED[m[1].strip()]}", text)
    rule.write_text(text.replace("selection", "picked"), "utf-8")
    assert said(library) == "access/refused-again/rule.yml:1: its detection is that of access/login-failed/rule.yml"


COPIED = {
    "id": "00000000-0000-4000-8000-000000000077",
    "name": "refused_again",
    "title": "Refused again",
    "title_vi": "Lại bị từ chối",
}


def test_two_rules_of_one_title_are_found(library: Path) -> None:
    title = re.search(r"(?m)^title: (.*)$", (library / "access/login-failed/rule.yml").read_text("utf-8"))
    other = library / "access/ssh-bruteforce/rule.yml"
    assert title is not None
    other.write_text(re.sub(r"(?m)^title: .*$", f"title: {title[1].upper()}", other.read_text("utf-8")), "utf-8")
    assert "its title is that of" in said(library)


def test_an_id_never_changes(library: Path) -> None:
    values = placeholders.of(lab())
    register = library / REGISTER
    register.write_text(registered(library, load([library], values)), "utf-8")
    assert said(library) == ""
    rule = library / "access/ssh-bruteforce/rule.yml"
    old = re.search(r"(?m)^id: (.*)$", rule.read_text("utf-8"))
    assert old is not None
    new = "00000000-0000-4000-8000-000000000078"
    edited(rule, old[1], new)
    assert f"no rule has the id {old[1]} any more (access/ssh-bruteforce has {new} now)" in said(library)
    assert "its id is not in ids.txt yet" in str(found(library).remarks)
    shutil.rmtree(rule.parent)
    assert f"no rule has the id {old[1]} any more (access/ssh-bruteforce is gone)" in said(library)
    assert old[1] in registered(library, load([library], values)), "what was given up is taken out by hand"


def test_a_filter_that_is_over_is_found_and_one_that_soon_is_told(library: Path) -> None:
    (library / "filters").mkdir()
    for number, day in enumerate(("2026-11-21", "2026-11-28", "2027-03-01"), 1):
        text = FILTER.format(id=f"00000000-0000-4000-8000-00000000000{number}", expires=day)
        (library / f"filters/{number}.yml").write_text(text, "utf-8")
    assert said(library).startswith("filters/1.yml:2: it ended on 2026-11-21 and no longer applies")
    assert len(found(library).offences) == 1
    (remark,) = found(library).remarks
    assert "it applies until 2026-11-28: our own checks (thanh)" in str(remark)


def test_tags_are_of_one_version_of_attack(library: Path) -> None:
    edited(library / "access/ssh-bruteforce/rule.yml", "attack.t1110.001", "attack.t1562.001")
    assert "attack.t1562.001 was revoked: version 19 has attack.t1685" in said(library)
    assert [
        *strange_tags(["attack.t9999", "attack.defense-evasion", "attack.g0016", "canh.ops", "attack.stealth"])
    ] == [
        "attack.t9999 is no technique or tactic of ATT&CK 19",
        "attack.defense-evasion is no technique or tactic of ATT&CK 19",
    ]


def test_every_technique_has_a_tactic_that_is_in_the_matrix() -> None:
    table = attack()
    for key, (name, tactics) in table.techniques.items():
        assert name and tactics and set(tactics) <= set(table.tactics), key
        assert "." not in key or key.split(".")[0] in table.techniques
    assert set(table.revoked.values()) <= set(table.techniques)
    assert not set(table.revoked) & set(table.techniques)


def test_cases_are_raw_lines(library: Path) -> None:
    tests = library / "access/login-failed/tests"
    for case in tests.glob("*.log"):
        case.rename(case.with_suffix(".ndjson"))
    assert "no case is of raw lines" in str(found(library).remarks[0])
    (tests / "parsed.hit.log").write_text('{"event.action": "login"}\n', "utf-8")
    assert "its lines are parsed already" in said(library)


def test_a_folder_holds_one_rule(library: Path) -> None:
    rule = library / "access/login-failed/rule.yml"
    other = rule.read_text("utf-8").replace("login_failed", "again").replace("title: ", "title: Another ")
    other = re.sub(r"(?m)^id: .*$", "id: 00000000-0000-4000-8000-000000000079", other)
    rule.write_text(f"{rule.read_text('utf-8')}---\n{other}", "utf-8")
    assert "one rule a folder: this file holds several" in said(library)
