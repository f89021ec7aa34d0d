"""Every control's own cases: what it must pass, what it must not, and with which words."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from compliance import ControlError, controls
from compliance.assess import assess
from compliance.collectors import collectors
from compliance.control import HERE, read
from compliance.model import PLATFORM, Control, Observation, Result

CASES = sorted(HERE.glob("*/tests/*.yaml"))
AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize("path", CASES, ids=lambda p: f"{p.parent.parent.name}/{p.stem}")
def test_case(path: Path) -> None:
    case = yaml.safe_load(path.read_text())
    control = read(path.parent.parent / "control.yaml")
    observations = [
        Observation(asset="asset", collector=name, taken_at=AT, output=text) for name, text in case["outputs"].items()
    ]
    (finding,) = assess([control], observations, {"asset": control.roles[0]}, {"asset": case.get("declared", {})})
    assert list(finding.details) == case.get("details", [])
    wanted = Result.SATISFIED if path.stem.endswith(".pass") else Result.NOT_SATISFIED
    assert finding.result is wanted


@pytest.mark.parametrize("control", controls(), ids=lambda c: c.slug)
def test_control_is_whole(control: Control) -> None:
    slug = control.slug
    cases = [path.stem for path in CASES if path.parent.parent.name == slug]
    assert any(c.endswith(".pass") for c in cases), f"{slug} has no case that passes"
    assert any(c.endswith(".fail") for c in cases), f"{slug} has no case that fails"
    assert set(control.collectors) <= set(collectors())


def test_every_collector_serves_a_control() -> None:
    used = {name for control in controls() for name in control.collectors}
    assert set(collectors()) == used


@pytest.mark.parametrize("control", controls(), ids=lambda c: c.slug)
def test_a_control_on_machines_asks_the_machine_itself(control: Control) -> None:
    """So that a machine that does not answer satisfies nothing, whatever the platform has on file of it."""
    on_machine = {name for name in control.collectors if not hasattr(collectors()[name], "observe")}
    assert control.roles == (PLATFORM,) or on_machine


def test_there_are_controls_enough_and_each_names_its_clauses() -> None:
    assert len(controls()) >= 15
    assert all(re.fullmatch(r"5(\.\d+)+(\.[a-z](-\d\d)?|-\d\d)?", r) for c in controls() for r in c.references)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("title: [", "not YAML"),
        ("title: x\n", "Field required"),
        ("{expect: [{fact: a, otherwise: b, otherwise_vi: c, equals: 1, at_most: 2}]}", "exactly one of"),
    ],
)
def test_a_broken_control_says_where(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "broken" / "control.yaml"
    path.parent.mkdir()
    whole = (HERE / "sshd-hardened/control.yaml").read_text()
    path.write_text(text if "expect" not in text else whole.split("expect:")[0] + text[1:-1] + "\nfix: x\nfix_vi: x\n")
    with pytest.raises(ControlError) as error:
        read(path)
    assert says in str(error.value)
    assert str(path) in str(error.value)
