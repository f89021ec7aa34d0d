"""The facts of `platforms/frr/platform.yaml`, typed into a real FRR: every case there and back again.

The router is tx-ce1 of a running lab (CANH_DATA); BGP runs on it only as long as these tests do.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from inventory import load
from network.device import Device
from network.diff import commands
from network.errors import LineRejected
from network.netmiko_device import access_of, open_device
from network.operations import push
from network.platform import FOLDER, load_platform
from network.tree import Tree, parse

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("CANH_DATA", ROOT / "var")).resolve()
FRR = load_platform("frr")
ROUTER = "tx-ce1"
PAIRS = [
    tuple(side.strip() for side in line.split("  >  "))
    for line in (Path(__file__).parent / "frr_pairs.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]
DAEMONS = "bgpd=yes\\nospf6d=yes\\nbfdd=yes\\nripd=yes\\n"
CASES = sorted(p.parent for p in FOLDER.glob("frr/tests/*/running.conf"))

pytestmark = pytest.mark.skipif(
    not (DATA / "lab/lab.json").is_file(), reason=f"no lab is up in {DATA}: canh lab up, then set CANH_DATA"
)


@pytest.fixture(scope="module")
def router() -> Iterator[Device]:
    _as_root(f'printf "{DAEMONS}" >> /etc/frr/daemons && systemctl reset-failed frr; systemctl restart frr')
    device = _opened()
    yield device
    device.close()
    _as_root('sed -i -E "/^(bgpd|ospf6d|bfdd|ripd)=yes/d" /etc/frr/daemons')
    # A case shuts eth2; FRR starts again without that line but leaves the link as it finds it.
    _as_root("systemctl reset-failed frr; systemctl restart frr; ip link set eth2 up")
    _opened().close()
    assert push(load(ROOT / "inventory/provinces/lab"), DATA).ok


@pytest.mark.parametrize("case", CASES, ids=lambda p: p.name)
def test_a_case_holds_on_a_real_router(case: Path, router: Device) -> None:
    running, intended = (parse((case / f"{n}.conf").read_text(encoding="utf-8"), FRR) for n in ("running", "intended"))
    router.send(commands(_shown(router), running, FRR))
    assert commands(_shown(router), running, FRR) == ()
    router.send((case / "change.conf").read_text(encoding="utf-8").splitlines())
    assert commands(_shown(router), intended, FRR) == ()
    router.send((case / "rollback.conf").read_text(encoding="utf-8").splitlines())
    assert commands(_shown(router), running, FRR) == ()


@pytest.mark.timeout(600)
def test_every_pair_changes_into_the_other_and_back_on_a_real_router(router: Device) -> None:
    rest = _shown(router)
    wrong = []
    for a, b in PAIRS:
        second = _typed(router, b)
        router.send(commands(second, rest, FRR))
        first = _typed(router, a)
        for goal in (second, first):
            try:
                router.send(commands(_shown(router), goal, FRR))
            except LineRejected as error:
                wrong.append(f"{a} > {b}: {error.what}")
            if left := commands(_shown(router), goal, FRR):
                wrong.append(f"{a} > {b}: lacks {'; '.join(left)}")
        router.send(commands(_shown(router), rest, FRR))
    assert not wrong, "\n".join(wrong)
    assert commands(_shown(router), rest, FRR) == ()


def _typed(router: Device, lines: str) -> Tree:
    """What the router shows after `lines`."""
    router.send([line.strip() for line in lines.split(";")])
    return _shown(router)


def _shown(router: Device) -> Tree:
    return parse(router.running(), FRR)


def _as_root(script: str) -> None:
    ssh = ["ssh", "-F", str(DATA / "lab/ssh_config"), ROUTER, f"sudo sh -c '{script}'"]
    subprocess.run(ssh, check=True, capture_output=True, timeout=60)


def _opened() -> Device:
    """A session once FRR answers again."""
    deadline = time.monotonic() + 30
    while True:
        try:
            device = open_device(ROUTER, FRR, access_of(DATA))
            device.running()
            return device
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
