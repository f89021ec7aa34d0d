"""What `canh lab up` does once the machines are there, in order: one entry a step.

Each step is a function of the context and a progress function, repeatable, and raises OpsError. What it
returns is said once more at the very end, where people look.
A part of the platform that needs something done on a fresh lab adds its entry here and nowhere else.
"""

from __future__ import annotations

import http.client
import os
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from canh.context import Context
from canh.host_change import host_change
from inventory.errors import OpsError

Progress = Callable[[str], None]

PLATFORM_ID = 777  # user and group `canh` on the SOC host
READ_BY_PLATFORM = ("backups", "changes", "evidence", "plans")  # what commands on the host write for it to read
CONSOLE_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LabStep:
    title: str
    run: Callable[[Context, Progress], Sequence[str]]


def configure_hosts(ctx: Context, progress: Progress) -> Sequence[str]:
    """What makes each host itself, by Ansible: the few tasks its image cannot hold."""
    from infra import ansible

    with host_change(ctx, "hosts configured", tuple(ctx.province.devices)):
        ansible.play("host", ansible.PLAYBOOKS / "inventory.py", ctx.data_dir, ctx.province_dir, progress)
    return ()


def share_data(ctx: Context, progress: Progress) -> Sequence[str]:
    """Give the data directory to the platform's user; what root writes later stays readable by its group."""
    os.chown(ctx.data_dir, PLATFORM_ID, PLATFORM_ID)
    for name in READ_BY_PLATFORM:
        folder = ctx.data_dir / name
        folder.mkdir(exist_ok=True)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, 0, PLATFORM_ID, follow_symlinks=False)  # one of these may be a link the platform's user laid
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o2750)
    return ()


def start_platform(ctx: Context, progress: Progress) -> Sequence[str]:
    """Start the service on the SOC host, so that what the routers say next is already heard."""
    from canh.machines import Machines

    machines, soc = Machines(data_dir=ctx.data_dir), ctx.province.soc.name
    with host_change(ctx, "platform started", (soc,)):
        machines.run(soc, "sudo", "systemctl", "enable", "--quiet", "canh")
        # A restart, not a start: a running platform may be of an older checkout or inventory.
        machines.run(soc, "sudo", "systemctl", "restart", "canh")
    return ()


def configure_routers(ctx: Context, progress: Progress) -> Sequence[str]:
    """Bring every router to what the inventory asks, and see that the right things can be reached and no others."""
    from canh.network_checks import checks_of
    from network import push

    outcome = push(ctx.province, ctx.data_dir, checks=checks_of(ctx.province, ctx.data_dir), say=progress)
    if not outcome.ok:
        raise OpsError(
            f"the routers are {outcome.result}: {outcome.reason}",
            where=ctx.data_dir / "changes" / f"{outcome.change_id}.jsonl",
            fix="see the journal for the device and the line, then canh lab up again",
        )
    return ()


def first_users(ctx: Context, progress: Progress) -> Sequence[str]:
    """Make the console's first accounts; their passwords are printed here and nowhere else."""
    from soc.users import UserStore

    made = UserStore(ctx.data_dir).bootstrap(datetime.now(UTC))
    if not made:
        return ["The console's accounts exist; for a forgotten password: canh users reset NAME"]
    return ["First passwords, shown this once:", *(f"  {name:<10} {password}" for name, password in made.items())]


def await_console(ctx: Context, progress: Progress) -> Sequence[str]:
    """Wait until the console answers at the address that people will open."""
    from infra.lab import LabFolder, console_of
    from infra.names import lab_id

    address = console_of(LabFolder(lab=lab_id(), province_dir=ctx.province_dir, data_dir=ctx.data_dir))
    authority = ctx.data_dir / "pki" / "ca.crt"
    deadline = time.monotonic() + CONSOLE_WITHIN_S
    while not _answers(str(address), authority):
        if time.monotonic() > deadline:
            raise OpsError(
                f"the console does not answer within {CONSOLE_WITHIN_S:.0f} s", where=address, fix="make logs says why"
            )
        time.sleep(0.2)
    return [f"Console: {address}"]


def _answers(address: str, authority: Path) -> bool:
    if not authority.exists():
        return False
    parts = urlsplit(address)
    context = ssl.create_default_context(cafile=str(authority))
    connection = http.client.HTTPSConnection(str(parts.hostname), parts.port, timeout=2, context=context)
    try:
        connection.request("GET", "/login")
        return connection.getresponse().status < 500
    except OSError:
        return False
    finally:
        connection.close()


STEPS: tuple[LabStep, ...] = (
    LabStep(title="data directory", run=share_data),
    LabStep(title="hosts", run=configure_hosts),
    LabStep(title="console accounts", run=first_users),
    LabStep(title="platform", run=start_platform),
    LabStep(title="routers", run=configure_routers),
    LabStep(title="console", run=await_console),
)
