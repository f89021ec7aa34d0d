"""A lab of its own from nothing to nothing: made, reached, broken by hand, repaired, killed half-way, taken down.

Machines are plain Debian (CANH_IMAGES=base): what is tested is machines, links and their end, not their
configuration. The lab has an id, a data directory and a console port of its own, so a running one is not touched.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra import cgroup, machine, netns, station, sweep
from infra.forward import GROUP
from infra.names import LabNames
from infra.process import is_alive, name_of
from inventory import load

ROOT = Path(__file__).parents[2]
LAB = "tlife"
NAMES = LabNames(lab=LAB)
PROVINCE = ROOT / "inventory/provinces/lab"
CANH = [sys.executable, "-m", "canh"]

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="machines need root"),
    pytest.mark.timeout(420),
]


class Lab:
    """The `canh lab` command on this test's lab."""

    def __init__(self, data_dir: Path, port: int) -> None:
        self.data_dir = data_dir
        self.env = {
            **os.environ,
            "CANH_LAB": LAB,
            "CANH_DATA": str(data_dir),
            "CANH_PROVINCE": str(PROVINCE),
            "CANH_CONSOLE_PORT": str(port),
            "CANH_IMAGES": "base",
        }

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*CANH, *words], cwd=ROOT, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *words: str, code: int = 0) -> str:
        with self.start(*words) as process:
            out, err = process.communicate(timeout=300)
        assert process.returncode == code, err
        return out + err

    def up(self) -> str:
        return self.run("lab", "up", "--machines-only")

    def states(self) -> dict[str, str]:
        with self.start("--json", "lab", "status") as process:
            out, _ = process.communicate(timeout=60)
        return {row["device"]: row["state"] for row in json.loads(out)["machines"]}

    def drift(self) -> set[str]:
        """Names of the resources pulumi finds gone when it looks."""
        words = ["refresh", "--preview-only", "--expect-no-changes", "--non-interactive"]
        with self.start("lab", "pulumi", "--", *words) as process:
            out, _ = process.communicate(timeout=120)
        gone = set(re.findall(r"canh:lab:\w+ (\S+) delete", out))
        assert (process.returncode == 0) == (gone == set()), out
        return gone

    def ssh(self, device: str, *command: str) -> str:
        config = self.data_dir / "lab/ssh_config"
        return subprocess.run(
            ["ssh", "-F", config, "-o", "ConnectTimeout=10", device, *command],
            capture_output=True, text=True, check=True, timeout=60,
        ).stdout  # fmt: skip


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    sweep.sweep(LAB)
    made = Lab(tmp_path_factory.mktemp("lifecycle"), port)
    yield made
    made.run("lab", "down")
    assert nothing_left()


@pytest.fixture(scope="module")
def up(lab: Lab) -> Lab:
    lab.up()
    return lab


def nothing_left() -> bool:
    """Nothing on this machine carries the lab's id, in any form it could be left in."""
    processes = subprocess.run(["ps", "-eo", "stat,args"], capture_output=True, text=True, check=True).stdout
    carrying = [
        line
        for line in processes.splitlines()
        if f"canh-{LAB}" in line and not line.startswith("Z") and "ps " not in line
    ]
    assert carrying == []
    assert NAMES.prefix not in Path("/proc/mounts").read_text()
    assert f"/labs/{LAB}/" not in Path("/proc/mounts").read_text()
    assert sweep.leftovers(LAB) == ()
    assert LAB not in subprocess.run(["ip", "link"], capture_output=True, text=True, check=True).stdout
    return True


def test_every_machine_is_reached_by_name_and_is_who_it_should_be(up: Lab) -> None:
    province = load(PROVINCE)
    for device in province.devices.values():
        said = up.ssh(device.name, "hostname; ip -br -4 address; cat /etc/machine-id; sudo id -u").split()
        assert said[0] == device.name
        assert {str(i.address) for i in device.interfaces} <= set(said)
        if device.loopback is not None:
            assert f"{device.loopback}/32" in said
        assert said[-1] == "0"
    assert set(up.states().values()) == {"running"}


def test_neighbours_hear_each_other_and_no_packet_leaves_the_lab(up: Lab) -> None:
    for link in load(PROVINCE).links.values():
        up.ssh(link.a.device, f"ping -c 1 -W 5 {link.b.address.ip}")
    route = subprocess.run(["ip", "route", "get", "10.250.0.1"], capture_output=True, text=True, check=False)
    assert route.returncode != 0, "the host itself must not know a way into the lab"


def test_a_second_up_changes_nothing_and_removes_what_nobody_declared(up: Lab) -> None:
    netns.ensure(NAMES.netns("intruder"))
    pids = {d: machine.init_pid(LAB, d) for d in up.states()}
    assert "machine" not in up.up().replace("machines", "")
    assert {d: machine.init_pid(LAB, d) for d in up.states()} == pids
    assert not netns.exists(NAMES.netns("intruder"))
    assert up.drift() == set()


def test_code_can_open_sockets_inside_the_lab_and_comes_back(up: Lab) -> None:
    before = Path("/proc/thread-self/ns/net").readlink()
    with station.inside(up.data_dir):
        connection = socket.create_connection(("10.250.255.11", 22), timeout=5)
    assert Path("/proc/thread-self/ns/net").readlink() == before
    with connection:
        assert connection.recv(4) == b"SSH-"


def test_what_is_broken_by_hand_is_seen_by_refresh_and_repaired_by_up(up: Lab) -> None:
    for device in ("tx-pc1", "stc-pc1"):
        up.ssh(device, "echo kept | sudo tee /root/note")
    supervisor = next(pid for pid in cgroup.processes(LAB, "hh-pc1") if name_of(pid) == "systemd-nspawn")
    os.kill(supervisor, signal.SIGKILL)
    for device in ("tx-pc1", "stc-pc1"):
        pid = machine.init_pid(LAB, device)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not cgroup.processes(LAB, "stc-pc1"))
    subprocess.run(["umount", NAMES.machine_dir("stc-pc1") / "root"], check=True)
    netns.remove_end(netns.VethEnd(netns=NAMES.netns("core1"), interface="eth1", mac=""))
    netns.remove_end(netns.VethEnd(netns=NAMES.netns("dc-app1"), interface="mgmt0", mac=""))

    assert up.drift() == {"hh-pc1", "tx-pc1", "stc-pc1", "core1--core2", "dc-app1"}
    up.up()
    assert set(up.states().values()) == {"running"}
    # A running machine gives a link that is made again its address back by itself.
    wait_until(lambda: "10.250.1.0/31" in up.ssh("core1", "ip -br -4 address"))
    up.ssh("core1", "ping -c 1 -W 5 10.250.1.1")
    for device in ("tx-pc1", "stc-pc1"):
        assert up.ssh(device, "sudo cat /root/note") == "kept\n", "a machine keeps its disk over a power failure"


def test_another_data_directory_may_not_take_a_living_lab(up: Lab, tmp_path: Path) -> None:
    other = Lab(tmp_path, int(up.env["CANH_CONSOLE_PORT"]))
    assert "another data directory" in other.run("lab", "up", "--machines-only", code=2)
    assert "another data directory" in other.run("lab", "down", code=2)
    assert set(up.states().values()) == {"running"}


def test_no_secret_is_in_state_or_log(up: Lab) -> None:
    key = (up.data_dir / "lab/ssh/hosts/core1").read_text().splitlines()[2]
    files = [file for file in (up.data_dir / "lab/pulumi").rglob("*") if file.is_file()]
    files += list(NAMES.machines.glob("*/*.log"))
    assert len(files) > 13
    assert not [file for file in files if key in file.read_text(errors="replace")]


def test_down_leaves_nothing_and_may_be_repeated(up: Lab) -> None:
    up.run("lab", "down")
    assert nothing_left()
    up.run("lab", "down")
    assert not (up.data_dir / "lab").exists()


@pytest.mark.parametrize("what_is_there", [1, 9, 22])
def test_up_killed_half_way_is_completed_by_the_next(lab: Lab, what_is_there: int) -> None:
    """`what_is_there`: namespaces and machines that exist when it is killed: moments, whatever the machine's speed."""
    with lab.start("lab", "up", "--machines-only") as process:
        wait_until(lambda: progress_of_lab() >= what_is_there or process.poll() is not None)
        assert process.poll() is None, "it was killed too late to say anything"
        process.send_signal(signal.SIGKILL)
        process.communicate()
    lab.up()
    assert set(lab.states().values()) == {"running"}
    assert lab.drift() == set()
    assert len(netns.names(NAMES.prefix)) == 14
    assert cgroup.groups(LAB) == {*load(PROVINCE).devices, GROUP}
    assert engines() == [], "no engine or plugin of the killed run goes on"
    lab.run("lab", "down")
    assert nothing_left()


def test_down_after_a_kill_and_without_state_leaves_nothing(lab: Lab) -> None:
    with lab.start("lab", "up", "--machines-only") as process:
        wait_until(lambda: progress_of_lab() >= 20 or process.poll() is not None)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    subprocess.run(["rm", "-rf", lab.data_dir / "lab"], check=True)
    lab.run("lab", "down")
    assert nothing_left()


def test_a_port_in_use_stops_it_before_anything_is_made(lab: Lab) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(lab.env["CANH_CONSOLE_PORT"])))
        taken.listen()
        assert "in use by another program" in lab.run("lab", "up", "--machines-only", code=2)
    assert nothing_left()


def progress_of_lab() -> int:
    return len(netns.names(NAMES.prefix)) + len(cgroup.groups(LAB))


def engines() -> list[str]:
    """Live processes of pulumi that work on this lab."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
            mine = f"CANH_LAB={LAB}".encode() in (folder / "environ").read_bytes()
        except OSError:
            continue
        if mine and "pulumi" in words and is_alive(int(folder.name)):
            found.append(words)
    return found


def wait_until(is_so: object, timeout_s: float = 60) -> None:
    assert callable(is_so)
    deadline = time.monotonic() + timeout_s
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
