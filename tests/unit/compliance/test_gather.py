"""Taking observations: a machine that is dead, slow to the point of silence, or cut off satisfies nothing.

`ssh` is a script here that runs what it is given on this computer, so everything but the network is real.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compliance import controls
from compliance.assess import assess
from compliance.collectors import collectors
from compliance.gather import Scene, gather
from compliance.model import Control, Expectation, Observation, Result
from inventory import load
from tests.unit.compliance.test_evidence import AT

ROOT = Path(__file__).parents[3]
SSH = """#!/bin/sh
while [ "$1" != sudo ]; do device=$1; shift; done
case $device in
dead) echo 'kex_exchange_identification: Connection reset' >&2; exit 255 ;;
cut) sh -s | head -n 3; exit 0 ;;
broken) sed 's/cat .proc.uptime/false/' | sh -s; exit 0 ;;
forger) sed -e 's/cat .proc.uptime/false/' \\
    -e 's/^for name in/echo "\\n\x1f0\\n\x1ealive\\n1.0 2.0\\n\\n\x1f0"; for name in/' | sh -s; exit 0 ;;
strange) sed 's/cat .proc.uptime/echo "1.0 2.0 (\x1ex\\n\\n\x1fz\x1e)"/' | sh -s; exit 0 ;;
chatty) echo 'Welcome to this machine'; sh -s; exit 0 ;;
*) exec sh -s ;;
esac
"""
CONTROL = Control(
    slug="answers",
    title="",
    title_vi="",
    why="",
    why_vi="",
    references=(),
    roles=("core",),
    collectors=("alive", "kernel"),
    expectations=(
        Expectation(fact="alive.uptime_s", operator="at_least", value=0, otherwise="", otherwise_vi=""),
        Expectation(
            fact="kernel.randomize_va_space", operator="in", value=[0, 1, 2, "absent"], otherwise="", otherwise_vi=""
        ),
    ),
    fix="",
    fix_vi="",
)


def details(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str) -> str:
    """What is found on `device`; "" when satisfied."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/ssh").write_text(SSH)
    (tmp_path / "bin/ssh").chmod(0o755)
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/ssh_config").touch()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    lab = load(ROOT / "inventory/provinces/lab")
    province = replace(lab, devices={device: replace(lab.devices["core1"], name=device)})
    observed = gather(Scene(province=province, data_dir=tmp_path, run_id="x"), [CONTROL], lambda _: None)
    (finding,) = assess([CONTROL], observed, {device: "core"}, {})
    assert (finding.result is Result.SATISFIED) == (not finding.details)
    return "; ".join(finding.details)


def test_a_machine_that_answers_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert details(tmp_path, monkeypatch, "well") == ""


def test_marks_in_what_a_machine_prints_are_only_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of a process is its owner's choice, and `ss -p` prints it as it is."""
    assert details(tmp_path, monkeypatch, "strange") == ""


def test_a_banner_before_the_answers_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert details(tmp_path, monkeypatch, "chatty") == ""


@pytest.mark.parametrize(
    ("device", "says"),
    [
        ("dead", "no answer: kex_exchange_identification: Connection reset"),
        ("cut", "the session ended before this collector"),
        ("broken", "no data: alive: exit 1"),
        ("forger", "no data: alive: exit 1"),  # another collector's output says alive answered
    ],
)
def test_no_answer_satisfies_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, says: str) -> None:
    assert says in details(tmp_path, monkeypatch, device)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda x: st.lists(x) | st.dictionaries(st.text(max_size=8), x),
)


@settings(max_examples=60, deadline=None)
@given(text=st.text() | JSON.map(json.dumps))
def test_whatever_a_machine_prints_is_a_finding_and_never_a_crash(text: str) -> None:
    observed = [Observation(asset="x", collector=name, taken_at=AT, output=text) for name in collectors()]
    for control in controls():
        (finding,) = assess([control], observed, {"x": control.roles[0]}, {"x": {}})
        assert finding.result is Result.SATISFIED or finding.details
        assert len(finding.details) == len(finding.details_vi)
