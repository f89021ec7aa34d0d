"""What a library covers, and the page that tells it."""

from __future__ import annotations

import shutil
from pathlib import Path

from soc import placeholders
from soc.rulesets import Coverage, coverage, page
from soc.sigma import OWN_RULES, load
from tests.unit.soc.engine_support import lab


def covered(tmp_path: Path) -> Coverage:
    for name in ("access/login-failed", "access/ssh-bruteforce", "network/interface-down"):
        shutil.copytree(OWN_RULES / name, tmp_path / name)
    return coverage(load([tmp_path], placeholders.of(lab())), [tmp_path], lab())


def test_a_rule_is_proven_by_its_cases_and_possible_by_what_parsers_make(tmp_path: Path) -> None:
    by_slug = {seen.folder.slug: seen for seen in covered(tmp_path).rules}
    login = by_slug["login-failed"]
    assert "linux_sshd" in login.proven
    assert {"linux_sshd", "cisco_ios", "windows"} <= set(login.possible)
    assert set(login.proven) <= set(login.possible)
    assert "linux_sshd" not in by_slug["interface-down"].possible


def test_a_correlation_is_raised_by_what_it_counts(tmp_path: Path) -> None:
    by_slug = {seen.folder.slug: seen for seen in covered(tmp_path).rules}
    assert set(by_slug["login-failed"].logsources) == set(by_slug["ssh-bruteforce"].logsources)
    assert "cisco_ios" in by_slug["ssh-bruteforce"].possible


def test_what_is_not_covered_is_told(tmp_path: Path) -> None:
    found = covered(tmp_path)
    there, missing = found.by_tactic()["credential-access"]
    assert "T1110" in there and "T1003" in missing
    assert "login" not in found.unnamed_actions and found.unnamed_actions["config-changed"] > 10
    assert found.by_parser()["isc_bind"][1] == 0


def test_the_page_tells_it_in_both_languages(tmp_path: Path) -> None:
    text = page(covered(tmp_path))
    assert "| Many failed logins from one address | " in text
    assert "| Credential access | Lấy thông tin xác thực | 1 / 17 | T1110 |" in text
    assert "isc_bind" in text.partition("Parsers that no rule looks at yet")[2]
