"""What is made of Pulumi's words, and of a stack lock a dead engine has left."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from infra.errors import LabBusy
from infra.stack import Stack, diagnostics_of, told_of
from tests.unit.infra.goldens import assert_reads


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(lab="unit", province_dir=tmp_path, data_dir=tmp_path, tools=tmp_path)


def leave_lock(stack: Stack, pid: int, lab: str = "unit") -> Path:
    folder = stack.state_dir / ".pulumi/locks/organization/canh" / lab
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "0b9d.json"
    file.write_text(json.dumps({"pid": pid, "username": "root", "hostname": "host"}))
    return file


def dead_pid() -> int:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (" +  canh:lab:Machine core1 creating (0s) ", "machine core1 creating (0s)"),
        (" +  canh:lab:Machine core1 created (3s) ", "machine core1 created (3s)"),
        (" ~  canh:lab:Machine core1 updated (0.9s) [diff: ~layers]", "machine core1 updated (0.9s)"),
        (" +  canh:lab:Link core1--core2 created (0.1s) ", "link core1--core2 created (0.1s)"),
        (" +  canh:lab:Link core1--core2 creating (0s) ", None),
        ("    canh:lab:Machine core1  ", None),
        (" +  pulumi:pulumi:Stack canh-lab created (0s) ", None),
        ("@ updating....", None),
        ("", None),
    ],
)
def test_progress_tells_what_ends_and_which_machine_is_waited_for(line: str, told: str | None) -> None:
    assert told_of(line) == told


FAILED = """Updating (unit):
 +  canh:lab:Machine hh-pc1 **creating failed** error: hh-pc1 is not ready
Diagnostics:
  canh:lab:Machine (hh-pc1):
    error: hh-pc1 is not ready after 90 s: still waiting for sshd on mgmt0
      at /var/lib/canh/labs/unit/machines/hh-pc1/console.log

  pulumi:pulumi:Stack (canh-unit):
    warning: using pulumi-resource-canh from $PATH at /x
    error: update failed

Outputs:
    machines: []
Resources:
    29 unchanged
"""


def test_a_failure_is_told_by_its_diagnostics_alone() -> None:
    assert diagnostics_of(FAILED).splitlines() == [
        "  canh:lab:Machine (hh-pc1):",
        "    error: hh-pc1 is not ready after 90 s: still waiting for sshd on mgmt0",
        "      at /var/lib/canh/labs/unit/machines/hh-pc1/console.log",
    ]


def test_a_failure_without_diagnostics_is_told_as_it_is() -> None:
    assert diagnostics_of("error: incorrect passphrase\n") == "error: incorrect passphrase"


def test_a_lock_of_a_dead_engine_is_freed_and_said(stack: Stack) -> None:
    file, other = leave_lock(stack, dead_pid()), leave_lock(stack, dead_pid(), lab="other")
    said: list[str] = []
    stack.free_stale_lock(said.append)
    assert not file.exists()
    assert other.exists(), "another stack's lock is none of ours"
    assert len(said) == 1


def test_a_number_taken_by_another_program_is_no_owner(stack: Stack) -> None:
    file = leave_lock(stack, os.getpid())
    stack.free_stale_lock(lambda text: None)
    assert not file.exists()


def test_an_unreadable_lock_is_freed(stack: Stack) -> None:
    file = leave_lock(stack, 1)
    file.write_text("{")
    stack.free_stale_lock(lambda text: None)
    assert not file.exists()


def test_a_living_engine_keeps_its_stack(stack: Stack, tmp_path: Path) -> None:
    engine = tmp_path / "pulumi"
    engine.symlink_to("/bin/sleep")
    with subprocess.Popen([engine, "30"]) as running:
        file = leave_lock(stack, running.pid)
        with pytest.raises(LabBusy) as refused:
            stack.free_stale_lock(lambda text: None)
        running.kill()
    assert file.exists()
    text = str(refused.value).replace(str(running.pid), "PID").replace(str(tmp_path), "DIR")
    assert_reads("stack-busy", text)


def test_the_checkout_is_not_written_to(stack: Stack) -> None:
    stack.write_project()
    stack.write_project()
    assert sorted(p.name for p in stack.project_dir.iterdir()) == ["Pulumi.yaml", "program"]
    assert (stack.project_dir / "program/__main__.py").is_file()
