"""What an engineer is told: every case makes the error happen and compares the text on file.

`tests/errors/network-<case>/expected.txt`; `CANH_GOLDEN=write` rewrites it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from canh.cli import main
from inventory.errors import OpsError
from network import backup
from network.lock import locked
from network.netmiko_device import Access, open_device
from network.operations import apply_plan, make_plan, work_for
from network.plan import load_plan, routers
from network.platform import load_platform
from network.tree import parse
from tests.unit.network.devices import START, FileLab

ERRORS = Path(__file__).parents[2] / "errors"
Case = Callable[[FileLab, Path], None]


def wrong_password(_lab: FileLab, tmp: Path) -> None:
    """What netmiko says of it is proved in test_session; here only how it is told."""
    from netmiko.exceptions import NetmikoAuthenticationException

    import network.netmiko_device as module

    def refuse(**_: object) -> None:
        raise NetmikoAuthenticationException("Authentication to device failed.")

    access = _access(tmp, "10.250.255.18")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ConnectHandler", refuse)
        open_device("hh-ce1", load_platform("frr"), access)


def unreachable_device(_lab: FileLab, tmp: Path) -> None:
    open_device("hh-ce1", load_platform("frr"), _access(tmp, "127.0.0.1", port=1))  # tcpmux: nobody has it


def refused_line(lab: FileLab, tmp: Path) -> None:
    lab.refused = {"ip ospf cost 10"}
    lab.connect("hh-ce1").send(["interface eth1", "ip ospf cost 10", "exit"])


def stale_plan(lab: FileLab, tmp: Path) -> None:
    plan, _ = make_plan(lab.work(tmp), ["hh"])
    lab.type("hh-ce1", "no log syslog informational")
    apply_plan(lab.work(tmp), plan)


def unknown_site(lab: FileLab, _tmp: Path) -> None:
    routers(lab.province, ["hanoi"])


def unknown_platform(_lab: FileLab, _tmp: Path) -> None:
    load_platform("frrr")


def indented_under_nothing(_lab: FileLab, _tmp: Path) -> None:
    parse("hostname r1\n ip ospf area 0\n", load_platform("frr"), where="running.conf")


def no_lab(lab: FileLab, tmp: Path) -> None:
    work_for(lab.province, tmp)


def no_such_plan(_lab: FileLab, tmp: Path) -> None:
    load_plan(tmp, "0123abcd")


def held_device(_lab: FileLab, tmp: Path) -> None:
    with locked(tmp, ["core1"], change_id="4bad7618"), locked(tmp, ["core1"], change_id="other"):
        pass


def lost_secret(_lab: FileLab, tmp: Path) -> None:
    frr = load_platform("frr")
    path = backup.save(tmp, "core1", "password opensesame\n", frr, at=START)
    backup.restorable(path, "core1", parse("hostname core1\n", frr), frr, {})


def unfinished_change(lab: FileLab, tmp: Path) -> None:
    work = lab.work(tmp, now=lambda: START)
    plan, _ = make_plan(work, ["hh"])
    lab.on_send = lambda: lab.unreachable.add("hh-ce1")
    apply_plan(work, plan)


CASES: tuple[Case, ...] = (
    wrong_password,
    unreachable_device,
    refused_line,
    stale_plan,
    unknown_site,
    unknown_platform,
    indented_under_nothing,
    no_lab,
    no_such_plan,
    held_device,
    lost_secret,
    unfinished_change,
)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.__name__)
def test_an_engineer_is_told_what_where_and_how_to_fix(case: Case, lab: FileLab, tmp_path: Path) -> None:
    with pytest.raises(OpsError) as refused:
        case(lab, tmp_path)
    told = str(refused.value).replace(str(tmp_path), "DATA").replace(str(os.getpid()), "PID") + "\n"
    golden = ERRORS / f"network-{case.__name__.replace('_', '-')}" / "expected.txt"
    if os.environ.get("CANH_GOLDEN") == "write":
        golden.write_text(told, encoding="utf-8")
    assert told == golden.read_text(encoding="utf-8")
    assert refused.value.fix


def test_every_case_on_file_is_run() -> None:
    named = {f"network-{c.__name__.replace('_', '-')}" for c in CASES}
    assert named == {p.name for p in ERRORS.glob("network-*")}


def test_a_verb_prints_the_error_and_ends_with_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").write_bytes(b"\xff")
    assert main(["diff", "--platform", "frr", str(tmp_path / "a"), str(tmp_path / "b")]) == 2
    assert "is not UTF-8" in capsys.readouterr().err


def _access(tmp: Path, address: str, port: int = 22) -> Access:
    (tmp / "ssh_config").write_text(f"Host hh-ce1\n  HostName {address}\n  Port {port}\n", encoding="utf-8")
    return Access(ssh_config=tmp / "ssh_config", known_hosts=tmp / "known_hosts", username="netops", password="x")
