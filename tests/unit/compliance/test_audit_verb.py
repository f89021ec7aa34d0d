"""`canh audit` as a person meets it: exit codes, and what is said when something is wrong.

`tests/errors/audit-<case>.txt`; `CANH_GOLDEN=write` rewrites it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from canh.cli import main
from compliance import evidence
from tests.unit.compliance.test_evidence import ASSETS, DECLARED, SSH, TELNET, observed, run_of

ROOT = Path(__file__).parents[3]
RUN = "20261122T030000Z-aaaaaa"


def canh(data: Path, *words: str) -> int:
    return main(["--province", str(ROOT / "inventory/provinces/lab"), "--data", str(data), *words])


def with_lab(data: Path) -> None:
    (data / "lab").mkdir()
    (data / "lab/ssh_config").touch()


def with_run(data: Path, output: str = SSH) -> Path:
    run = run_of(RUN, observed("core1", SSH), observed("hh-pc1", output))
    evidence.write(data / "evidence", run, ASSETS, DECLARED, evidence.GENESIS)
    return data / "evidence" / RUN


def unknown_control(data: Path) -> int:
    return canh(data, "audit", "run", "sshd-hardened", "sshd-softened")


def no_lab(data: Path) -> int:
    return canh(data, "audit", "run")


def no_place_for_evidence(data: Path) -> int:
    with_lab(data)
    (data / "evidence").write_text("in the way")
    return canh(data, "audit", "run")


def read_only_evidence(data: Path) -> int:
    with_lab(data)
    (data / "evidence/.lock").mkdir(parents=True)  # refuses also root, as a read-only file system does
    return canh(data, "audit", "run")


def no_run_yet(data: Path) -> int:
    return canh(data, "audit", "report")


def no_such_run(data: Path) -> int:
    with_run(data)
    return canh(data, "audit", "report", "20200101T000000Z-000000")


def nothing_to_verify(data: Path) -> int:
    return canh(data, "audit", "verify", str(data / "elsewhere"))


def altered_finding(data: Path) -> int:
    path = with_run(data, SSH + TELNET) / "findings.json"
    path.write_text(path.read_text().replace("not-satisfied", "satisfied"))
    return canh(data, "audit", "verify", str(path.parent))


def planted_file(data: Path) -> int:
    (with_run(data) / "raw/core1/sudo.txt").write_text("root ALL=(ALL) ALL")
    return canh(data, "audit", "verify")


CASES: dict[str, tuple[Callable[[Path], int], int]] = {
    "unknown-control": (unknown_control, 2),
    "no-lab": (no_lab, 2),
    "no-place-for-evidence": (no_place_for_evidence, 2),
    "read-only-evidence": (read_only_evidence, 2),
    "no-run-yet": (no_run_yet, 2),
    "no-such-run": (no_such_run, 2),
    "nothing-to-verify": (nothing_to_verify, 2),
    "altered-finding": (altered_finding, 1),
    "planted-file": (planted_file, 1),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_wrong_is_said_with_the_place_and_the_fix(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case, code = CASES[name]
    assert case(tmp_path) == code
    said = capsys.readouterr()
    text = (said.out + said.err).replace(str(tmp_path), "DATA")
    path = ROOT / f"tests/errors/audit-{name}.txt"
    if os.environ.get("CANH_GOLDEN") == "write":
        path.write_text(text, "utf-8")
    assert text == path.read_text("utf-8")


def test_a_report_of_satisfied_controls_ends_with_0_and_one_of_others_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_run(tmp_path / "good")
    with_run(tmp_path / "bad", SSH + TELNET)
    assert canh(tmp_path / "good", "audit", "report") == 0
    assert "1 satisfied, 0 not satisfied" in capsys.readouterr().out
    assert canh(tmp_path / "bad", "audit", "report") == 1
    assert "hh-pc1: extra: tcp/23" in capsys.readouterr().out


def test_programs_get_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_run(tmp_path, SSH + TELNET)
    assert canh(tmp_path, "--json", "audit", "report") == 1
    assert json.loads(capsys.readouterr().out)["controls"][0]["result"] == "not-satisfied"
    assert canh(tmp_path, "--json", "audit", "verify") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["intact"] and said["findings_rederived"] and re.fullmatch("[0-9a-f]{64}", said["head"])


def test_the_console_understands_the_results(tmp_path: Path) -> None:
    """The shape is the contract between the two: `soc/console/_controls.py` reads what evidence writes."""
    from soc.console._controls import newest_run

    with_run(tmp_path, SSH + TELNET)
    found = newest_run(tmp_path)
    assert not found.problem
    assert found.run is not None
    (control,) = found.run.controls
    assert (control.result, control.assets_with("not-satisfied")) == ("not-satisfied", 1)
    assert control.said("title", "vi") == "Chỉ dịch vụ đã khai báo mới mở cổng"
