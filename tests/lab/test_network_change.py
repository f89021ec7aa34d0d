"""Changes on the routers of a running lab (CANH_DATA): planned, carried out, killed, taken back.

Each test leaves the routers as the inventory has them.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from inventory import load
from inventory.model import Province
from network import journal
from network.change import carry_out_now
from network.errors import DeviceUnreachable, HostKeyRefused, LoginRefused
from network.netmiko_device import access_of, open_device
from network.operations import drift, push, work_for
from network.plan import Reading, reading_of
from network.platform import load_platform
from network.tree import applied, parse
from network.work import Work

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("CANH_DATA", ROOT / "var")).resolve()
FRR = load_platform("frr")

pytestmark = pytest.mark.skipif(
    not (DATA / "lab/lab.json").is_file(), reason=f"no lab is up in {DATA}: canh lab up, then set CANH_DATA"
)


@pytest.fixture(scope="module")
def province() -> Province:
    return load(Path(os.environ.get("CANH_PROVINCE", ROOT / "inventory/provinces/lab")))


@pytest.fixture
def work(province: Province) -> Iterator[Work]:
    """The lab's routers as intended, before and after."""
    assert push(province, DATA).ok
    yield replace(work_for(province, DATA, operator="test"), settle=timedelta(seconds=15))
    assert push(province, DATA).ok


def typed(name: str, *lines: str) -> None:
    """Somebody types on a router."""
    device = open_device(name, FRR, access_of(DATA))
    try:
        device.send(lines)
    finally:
        device.close()


def running(work: Work, name: str) -> Reading:
    device = work.connect(name)
    try:
        return reading_of(work.province, name, device.running())
    finally:
        device.close()


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def canh(*arguments: str) -> Ran:
    command = [sys.executable, "-m", "canh", "--data", str(DATA), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    return Ran(done.returncode, done.stdout, done.stderr)


def test_nothing_to_do_is_read_in_one_look_and_writes_no_change(work: Work) -> None:
    before = set((DATA / "changes").iterdir())
    assert push(work.province, DATA).result == "nothing"
    assert canh("plan").code == 0
    assert canh("drift").code == 0
    assert set((DATA / "changes").iterdir()) == before


def test_drift_is_seen_planned_applied_and_gone(work: Work) -> None:
    typed("tx-ce1", "ip route 10.250.99.0/24 blackhole", "interface eth1", "ip ospf cost 55", "exit")
    seen = canh("--json", "drift")
    assert seen.code == 1
    assert {d["device"]: d["drifted"] for d in seen.json["devices"]}["tx-ce1"]

    plan = canh("plan", "tx", "--json")
    assert plan.code == 1
    (device,) = plan.json["devices"]
    assert device["change"] == ["no ip route 10.250.99.0/24 blackhole", "interface eth1", "ip ospf cost 10", "exit"]
    assert device["blast_radius"] == {"devices": ["tx-pc1"], "sites": ["tx"]}

    applied_ = canh("apply", plan.json["plan_id"])
    assert applied_.code == 0, applied_.err
    assert "tx-pc1 reaches app-https: ok" in applied_.err and "tx-pc1 does not reach app-ssh: ok" in applied_.err
    assert canh("drift").code == 0


def test_a_rollback_returns_to_the_backup(work: Work) -> None:
    typed("tx-ce1", "interface eth2", "description somebody was here", "exit")
    assert canh("apply", "tx", "--yes").code == 0
    newest = max((DATA / "changes").glob("*.jsonl"), key=lambda p: p.stat().st_mtime_ns)
    assert canh("rollback", newest.stem).code == 0
    assert "no description" not in running(work, "tx-ce1").difference.change
    assert running(work, "tx-ce1").difference.change == ("interface eth2", "description to tx-pc1", "exit")


def test_a_stale_plan_is_refused_and_nothing_is_sent(work: Work) -> None:
    typed("tx-ce1", "ip route 10.250.99.0/24 blackhole")
    plan = canh("plan", "tx", "--json").json
    typed("tx-ce1", "ip route 10.250.98.0/24 blackhole")
    refused = canh("apply", plan["plan_id"])
    assert refused.code == 2 and "moved since plan" in refused.err
    assert len(running(work, "tx-ce1").difference.change) == 2


def test_a_refused_line_returns_the_router_to_its_backup(work: Work) -> None:
    before = running(work, "tx-ce1")
    bad = parse("interface eth1\n description x\n ip ospf cost 10000000\n", FRR)  # more than FRR takes

    def goal(name: str, text: str) -> Reading:
        return replace(reading_of(work.province, name, text), intended=bad)

    outcome = carry_out_now(work, ["tx-ce1"], goal, kind="push")
    assert outcome.result == "reverted"
    assert "refused the line 'ip ospf cost 10000000': % Unknown command" in outcome.reason
    assert running(work, "tx-ce1").running == before.running


def test_a_neighbour_that_does_not_come_up_returns_the_router_to_its_backup(work: Work) -> None:
    before = running(work, "tx-ce1")

    def goal(name: str, text: str) -> Reading:
        reading = reading_of(work.province, name, text)
        wrong = applied(reading.running, ["interface eth1", "ip ospf hello-interval 7", "exit"], FRR)
        return replace(reading, intended=wrong)

    outcome = carry_out_now(work, ["tx-ce1"], goal, kind="push")
    assert outcome.result == "reverted"
    assert "tx-ce1 eth1 to core2" in outcome.reason
    assert running(work, "tx-ce1").running == before.running


@pytest.mark.parametrize("moment", ["opened", "sending", "verified", "saved"])
def test_killed_in_the_middle_every_router_is_old_or_new_after_the_next_command(work: Work, moment: str) -> None:
    names = ("core1", "hh-ce1", "tx-ce1")
    for name in names:
        typed(name, "no log commands", "interface lo", "description old", "exit")
    old = {name: running(work, name).running for name in names}
    seen = set((DATA / "changes").glob("*.jsonl"))
    victim = subprocess.Popen(
        [sys.executable, "-m", "canh", "--data", str(DATA), "apply", *names, "--yes"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    path = _killed_at(victim, moment, seen)

    after = canh("drift")  # any command ends the change

    entries = journal.entries(path)
    assert entries[-1]["event"] == "closed", after.err
    now = {name: running(work, name) for name in names}
    if entries[-1]["result"] == "confirmed":
        assert not any(reading.difference for reading in now.values())
    else:
        assert {name: reading.running for name, reading in now.items()} == old


def _killed_at(victim: subprocess.Popen[bytes], moment: str, seen: set[Path]) -> Path:
    """Kill `victim` as soon as its journal says `moment`; the path of that journal."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and victim.poll() is None:
        for path in set((DATA / "changes").glob("*.jsonl")) - seen:
            if f'"event": "{moment}"'.encode() in path.read_bytes():
                victim.send_signal(signal.SIGKILL)
                victim.wait()
                return path
        time.sleep(0.001)
    victim.kill()
    victim.wait()
    raise AssertionError(f"the change never got to {moment!r}")


def test_a_wrong_password_a_wrong_key_and_a_closed_port_are_told_apart(tmp_path: Path) -> None:
    access = access_of(DATA)
    with pytest.raises(LoginRefused):
        open_device("core1", FRR, replace(access, password="not-it"))
    strangers = tmp_path / "known_hosts"
    lines = access.known_hosts.read_text(encoding="utf-8").splitlines()
    keys = [line.split(" ", 1)[1] for line in lines]
    names = [line.split(" ", 1)[0] for line in lines]
    strangers.write_text(
        "".join(f"{n} {k}\n" for n, k in zip(names, keys[1:] + keys[:1], strict=True)), encoding="utf-8"
    )
    with pytest.raises(HostKeyRefused):
        open_device("core1", FRR, replace(access, known_hosts=strangers))
    config = tmp_path / "ssh_config"
    config.write_text(f"Host core1\n  Port 2222\n{access.ssh_config.read_text(encoding='utf-8')}", encoding="utf-8")
    with pytest.raises(DeviceUnreachable):
        open_device("core1", FRR, replace(access, ssh_config=config, timeout_s=2))


def test_a_router_that_is_away_is_reported_and_the_others_are_read(work: Work) -> None:
    def connect(name: str) -> Any:
        if name == "tx-ce1":
            raise DeviceUnreachable("tx-ce1 cannot be reached", device=name)
        return work.connect(name)

    found, errors = drift(replace(work, connect=connect))
    assert [e.what for e in errors] == ["tx-ce1 cannot be reached"]
    assert len(found) == 7 and not any(d.is_drifted for d in found)
