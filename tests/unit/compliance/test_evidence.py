"""Evidence holds, or says exactly where it does not."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from compliance import CHAIN, EvidenceError, Verified, evidence, verify, verify_runs
from compliance.assess import assess
from compliance.model import Control, Expectation, Facts, Observation, Result, Run

AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
ASSETS = {"hh-pc1": "workstation", "core1": "core"}  # in no order that sorting would give
DECLARED: Mapping[str, Facts] = {"core1": {"listeners": ["tcp/22"]}, "hh-pc1": {"listeners": ["tcp/22"]}}
CONTROL = Control(
    slug="listeners",
    title="Only declared services listen",
    title_vi="Chỉ dịch vụ đã khai báo mới mở cổng",
    why="",
    why_vi="",
    references=("5.5.2.1.c",),
    roles=("core", "workstation"),
    collectors=("listeners",),
    expectations=(
        Expectation(
            fact="listeners",
            operator="subset_of",
            value="$declared.listeners",
            otherwise="extra: {extra}",
            otherwise_vi="thừa: {extra}",
        ),
    ),
    fix="",
    fix_vi="",
)
SSH = 'tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=1,fd=3))\n'
TELNET = 'tcp LISTEN 0 128 *:23 *:* users:(("telnetd",pid=2,fd=3))\n'


def observed(asset: str, output: str = "", error: str = "") -> Observation:
    return Observation(asset=asset, collector="listeners", taken_at=AT, output=output, error=error)


def run_of(run_id: str, *observations: Observation) -> Run:
    return Run(
        run_id=run_id,
        started=AT,
        finished=AT,
        province="lab",
        controls=(CONTROL,),
        observations=observations,
        findings=assess((CONTROL,), observations, ASSETS, DECLARED),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run = run_of("20261122T030000Z-aaaaaa", observed("core1", SSH), observed("hh-pc1", SSH + TELNET))
    evidence.write(tmp_path, run, ASSETS, DECLARED, evidence.GENESIS)
    return tmp_path / run.run_id


def test_what_was_written_verifies_also_as_a_copy(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "usb" / folder.name
    shutil.copytree(folder, copy)
    shutil.rmtree(folder)
    assert (verify(copy).entries, verify(copy).is_rederived) == (6, True)


def test_an_undeclared_listener_is_found_and_named(folder: Path) -> None:
    results = json.loads((folder / "results.json").read_text())
    (control,) = results["controls"]
    assert control["result"] == "not-satisfied"
    assert control["reason"] == "hh-pc1: extra: tcp/23"
    assert {a["asset"]: a["result"] for a in control["assets"]} == {"core1": "satisfied", "hh-pc1": "not-satisfied"}


@pytest.mark.parametrize(
    "name", ["controls.json", "declared.json", "findings.json", "results.json", "raw/core1/listeners.txt"]
)
def test_a_changed_file_is_found(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes().replace(b"2", b"3", 1))
    with pytest.raises(EvidenceError, match="file was altered") as error:
        verify(folder)
    assert name in str(error.value)


def test_a_missing_file_is_found(folder: Path) -> None:
    (folder / "raw/core1/listeners.txt").unlink()
    with pytest.raises(EvidenceError, match="file is missing"):
        verify(folder)


def test_a_file_nobody_recorded_is_found(folder: Path) -> None:
    (folder / "raw/core1/other.txt").write_text("planted")
    with pytest.raises(EvidenceError, match="no entry names"):
        verify(folder)


@pytest.mark.parametrize("line", range(6))
def test_an_entry_that_is_taken_out_breaks_the_chain(folder: Path, line: int) -> None:
    chain = folder / CHAIN
    lines = chain.read_text().splitlines(keepends=True)
    chain.write_text("".join(lines[:line] + lines[line + 1 :]))
    with pytest.raises(EvidenceError):
        verify(folder)


def test_findings_that_do_not_follow_are_found_even_with_right_hashes(tmp_path: Path) -> None:
    run = run_of("20261122T030000Z-bbbbbb", observed("core1", SSH), observed("hh-pc1", SSH + TELNET))
    good = tuple(type(f)(control=f.control, asset=f.asset, result=Result.SATISFIED, details=()) for f in run.findings)
    forged = Run(**{n: getattr(run, n) for n in Run.__dataclass_fields__} | {"findings": good})
    evidence.write(tmp_path, forged, ASSETS, DECLARED, evidence.GENESIS)
    with pytest.raises(EvidenceError, match="do not follow"):
        verify(tmp_path / run.run_id)


def with_right_hashes(folder: Path, name: str, content: bytes) -> None:
    """Put `content` in place of a file of the chain, as somebody would who can compute hashes."""
    (folder / name).write_bytes(content)
    entries = [json.loads(line) for line in (folder / CHAIN).read_text().splitlines()]
    parent = entries[0]["parent"]
    for entry in entries:
        if entry["file"] == name:
            entry["sha256"] = hashlib.sha256(content).hexdigest()
        entry["parent"] = parent
        del entry["hash"]
        text = json.dumps(entry, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        parent = entry["hash"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / CHAIN).write_text("".join(json.dumps(e, sort_keys=True, ensure_ascii=False) + "\n" for e in entries))


def without_problems(folder: Path) -> bytes:
    told = json.loads((folder / "results.json").read_text())
    for control in told["controls"]:
        control |= {"result": "satisfied", "reason": "", "reason_vi": ""}
        for asset in control["assets"]:
            asset |= {"result": "satisfied", "detail": "", "detail_vi": ""}
    return json.dumps(told).encode()


def test_results_that_do_not_follow_are_found_even_with_right_hashes(folder: Path) -> None:
    with_right_hashes(folder, "results.json", without_problems(folder))
    with pytest.raises(EvidenceError, match="does not follow from the findings") as error:
        verify(folder)
    assert str(error.value.where).endswith("results.json")


@pytest.mark.parametrize("name", ["report.html", "report.json"])
def test_a_report_that_tells_something_else_is_found_and_a_missing_one_is_not_missed(folder: Path, name: str) -> None:
    (folder / name).write_text((folder / name).read_text().replace("not", "", 1))
    with pytest.raises(EvidenceError, match="does not follow from the findings") as error:
        verify(folder)
    assert str(error.value.where).endswith(name)
    (folder / name).unlink()
    assert verify(folder).is_rederived


def test_a_report_of_another_version_is_intact_but_not_held_to_our_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of("20261122T030000Z-ffffff", observed("core1", SSH), observed("hh-pc1", SSH))
    monkeypatch.setattr(evidence, "told_by", lambda: "an older version")
    evidence.write(tmp_path, run, ASSETS, DECLARED, evidence.GENESIS)
    monkeypatch.undo()
    assert verify(tmp_path / run.run_id).is_rederived
    (tmp_path / run.run_id / "report.html").write_text("as it was shown then")
    assert not verify(tmp_path / run.run_id).is_rederived


def test_evidence_of_another_version_is_intact_but_not_held_to_our_judgement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of("20261122T030000Z-ffffff", observed("core1", SSH), observed("hh-pc1", SSH))
    other = tuple(type(f)(control=f.control, asset=f.asset, result=f.result, details=("then",)) for f in run.findings)
    older = Run(**{n: getattr(run, n) for n in Run.__dataclass_fields__} | {"findings": other})
    monkeypatch.setattr(evidence, "judged_by", lambda: "of an older version")
    evidence.write(tmp_path, older, ASSETS, DECLARED, evidence.GENESIS)
    monkeypatch.undo()
    assert not verify(tmp_path / run.run_id).is_rederived


def test_a_run_that_is_taken_out_is_missed(folder: Path) -> None:
    where = folder.parent
    for name in ("20261122T040000Z-cccccc", "20261122T050000Z-dddddd"):
        head = evidence.head_of(evidence.runs(where)[-1])
        evidence.write(where, run_of(name, observed("core1", SSH)), ASSETS, DECLARED, head)
    assert [type(found) for found in verify_runs(evidence.runs(where))] == [Verified] * 3
    shutil.rmtree(evidence.runs(where)[1])
    first, last = verify_runs(evidence.runs(where))
    assert isinstance(first, Verified)
    assert isinstance(last, EvidenceError)
    assert "a run is missing" in str(last)


def test_a_run_that_was_altered_is_told_apart_from_those_that_hold(folder: Path) -> None:
    where = folder.parent
    evidence.write(where, run_of("20261122T040000Z-cccccc", observed("core1", SSH)), ASSETS, DECLARED, head(folder))
    (folder / "findings.json").write_text("[]")
    altered, intact = verify_runs(evidence.runs(where))
    assert isinstance(altered, EvidenceError)
    assert isinstance(intact, Verified)


def head(folder: Path) -> str:
    return evidence.head_of(folder)


@pytest.mark.parametrize("name", [CHAIN, "controls.json", "raw/core1/listeners.txt"])
def test_any_octet_that_is_changed_is_found(folder: Path, name: str) -> None:
    path = folder / name
    content = path.read_bytes()
    for place in range(0, len(content) - 1, 7):
        changed = bytearray(content)
        changed[place] ^= 0x04
        path.write_bytes(bytes(changed))
        with pytest.raises(EvidenceError):
            verify(folder)


def test_a_write_that_fails_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        evidence.write(folder.parent, run_of("20261122T040000Z-cccccc"), ASSETS, DECLARED, head(folder))
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize(
    ("observations", "reason"),
    [
        ((), "was not observed"),
        ((observed("core1", error="no answer: timed out"), observed("hh-pc1", SSH)), "no answer: timed out"),
        ((observed("core1", "garbage"), observed("hh-pc1", SSH)), "unreadable"),
        ((observed("", error="StoreError: gone"),), "StoreError: gone"),
    ],
)
def test_no_data_is_never_satisfied(observations: tuple[Observation, ...], reason: str) -> None:
    run = run_of("20261122T030000Z-eeeeee", *observations)
    assert run.result_of(CONTROL) is Result.NOT_SATISFIED
    core1 = next(f for f in run.findings if f.asset == "core1")
    assert core1.result is Result.NOT_SATISFIED
    assert reason in core1.details[0]


def test_a_control_without_any_asset_is_not_satisfied() -> None:
    run = Run(run_id="x", started=AT, finished=AT, province="lab", controls=(CONTROL,), observations=(), findings=())
    assert run.result_of(CONTROL) is Result.NOT_SATISFIED
