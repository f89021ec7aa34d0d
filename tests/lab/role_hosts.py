"""The machines of the running lab as testinfra hosts, derived from the inventory.

CANH_DATA names the data directory of the lab (`make test` brings one up first), CANH_PROVINCE its
province. Without a lab every test skips and says why.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import pytest
import testinfra

import inventory
from inventory.model import Province, Role

ROOT = Path(__file__).resolve().parents[2]
PROVINCE_DIR = Path(os.environ.get("CANH_PROVINCE", ROOT / "inventory/provinces/lab")).resolve()
DATA = Path(os.environ.get("CANH_DATA", ROOT / "var")).resolve()
T = TypeVar("T")
ROUTER_ROLES = (Role.CORE, Role.DISTRIBUTION, Role.CE, Role.FIREWALL)


@cache
def province() -> Province:
    return inventory.load(PROVINCE_DIR)


def names(*roles: Role) -> list[str]:
    """Devices of these roles; all of the province without one."""
    return [d.name for d in province().devices.values() if not roles or d.role in roles]


def require_lab() -> None:
    """Skip, with the reason, when there is no lab to look at."""
    state = DATA / "lab/lab.json"
    if not state.exists():
        pytest.skip(f"no lab is up: {state} does not exist")
    if json.loads(state.read_text()).get("state") != "up":
        pytest.skip(f"the lab of {state} is not up")


@cache
def machine(name: str) -> Any:
    """The testinfra host of a device, as root through the automation account. One connection a device."""
    require_lab()
    return testinfra.get_host(
        f"ssh://{name}",
        ssh_config=str(DATA / "lab/ssh_config"),
        controlpath=f"{_sockets()}/%%C",
        controlpersist=20,
        sudo=True,
    )


@cache
def _sockets() -> str:
    return tempfile.mkdtemp(prefix="canh-ti-")


def lines(name: str, command: str, *arguments: str) -> list[str]:
    """What a command prints on a machine, by line. Fails the test when the command does."""
    done = machine(name).run(command, *arguments)
    assert done.rc == 0, f"{name}: {command % arguments if arguments else command}: {done.stderr}"
    return str(done.stdout).splitlines()


def eventually(ask: Callable[[], T], *, within_s: float = 15.0) -> T:
    """The first answer that is true, or the last one: asked again until `within_s` is over."""
    end = time.monotonic() + within_s
    while not (answer := ask()) and time.monotonic() < end:
        time.sleep(0.5)
    return answer


def secrets() -> dict[str, dict[str, str]]:
    return dict(json.loads((DATA / "secrets.json").read_text()))


def spool_end() -> dict[Path, int]:
    """Where the spools of the lab end now: what comes later is what a test caused."""
    from monitoring.spool import SpoolReader, spools

    return {directory: SpoolReader(directory).end for directory in spools(DATA)}


def spooled(token: bytes, since: dict[Path, int]) -> list[tuple[str, str]]:
    """(peer, text) of the messages with `token` that have come to rest at the SOC after `since`."""
    from monitoring.spool import SpoolReader

    found = []
    for directory, position in since.items():
        reader = SpoolReader(directory)
        while batch := reader.read(position, limit=5000):
            records, position = batch
            if not records:
                break
            found += [(r.peer, r.raw.decode(errors="replace")) for r in records if token in r.raw]
    return found
