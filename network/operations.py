"""What an engineer, or another part of the platform, asks of the network: the verbs in one call each.

All of them first end changes that were interrupted (`recovery`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from inventory.errors import OpsError
from inventory.model import Province
from network import backup, journal
from network import plan as planning
from network.change import carry_out, carry_out_now
from network.check import Check
from network.errors import NetworkError, NotOnFile, StalePlan
from network.netmiko_device import access_of, connector
from network.plan import Goal, Plan, Reading, Survey, masked_lines, plan_of, routers, survey, to_inventory
from network.platform import load_platform
from network.recovery import recover
from network.tree import parse
from network.work import Baseline, Outcome, Work

START_PATIENCE = timedelta(seconds=60)  # a machine that boots on a busy host


def work_for(
    province: Province,
    data_dir: Path,
    *,
    checks: Sequence[Check] = (),
    operator: str = "",
    say: Callable[[str], None] = lambda _text: None,
) -> Work:
    """What a change on the devices of the lab in `data_dir` is carried out with. Raises NotOnFile without a lab."""
    connect = connector(province, access_of(data_dir))
    return Work(province=province, data_dir=data_dir, connect=connect, checks=checks, operator=operator, say=say)


def make_plan(work: Work, targets: Iterable[str] = (), *, wave_size: int | None = None) -> tuple[Plan, Survey]:
    """The plan for `targets` (sites or devices, all when none), stored when it changes something.

    Devices that could not be read are in the survey's errors and not in the plan.
    """
    names = routers(work.province, targets)
    with _disk(work.data_dir):
        recover(work)
    found = survey(work.connect, names, to_inventory(work.province))
    plan = plan_of(work.province, found.readings, wave_size=wave_size)
    if plan.devices:
        with _disk(work.data_dir):
            planning.store(plan, work.data_dir)
    return plan, found


def apply_plan(work: Work, plan: Plan) -> Outcome:
    """Carry out a plan that was reviewed. Raises StalePlan when anything moved since."""
    with _disk(work.data_dir):
        recover(work)
        return carry_out(work, plan, to_inventory(work.province))


def push(
    province: Province,
    data_dir: Path,
    *,
    targets: Iterable[str] = (),
    checks: Sequence[Check] = (),
    operator: str = "canh",
    patience: timedelta = START_PATIENCE,
    say: Callable[[str], None] = lambda _text: None,
) -> Outcome:
    """Bring every router of `targets` (all when none) to what the inventory asks, in one journalled change.

    Waits for machines that are starting; reads each router once and does nothing when there is nothing
    to do. All in one wave: for a network that is being built, or repaired. Raises NetworkError.
    """
    work = replace(work_for(province, data_dir, checks=checks, operator=operator, say=say), patience=patience)
    names = routers(province, targets)
    with _disk(data_dir):
        recover(work)
        return carry_out_now(work, names, to_inventory(work.province), kind="push")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """How a device differs from what the inventory asks: the lines that would take it there, masked."""

    device: str
    change: tuple[str, ...]

    @property
    def is_drifted(self) -> bool:
        return bool(self.change)


def drift(work: Work, targets: Iterable[str] = ()) -> tuple[tuple[Drift, ...], tuple[OpsError, ...]]:
    """Running against intended, for every device that could be read, and why the others could not."""
    names = routers(work.province, targets)
    with _disk(work.data_dir):
        recover(work)
    found = survey(work.connect, names, to_inventory(work.province))
    return tuple(drift_of(reading) for reading in found.readings), found.errors


def drift_of(reading: Reading) -> Drift:
    return Drift(device=reading.device, change=masked_lines(reading.difference.change, reading.platform))


def rollback(work: Work, change_id: str) -> Outcome:
    """Take the devices of a confirmed change back to their backups, as a change of its own.

    Raises NotOnFile, StalePlan when a device was changed since, or NetworkError for a change that is
    not confirmed (there is nothing to take back).
    """
    with _disk(work.data_dir):
        recover(work)
        plan, goal = rollback_plan(work, change_id)
        before = next(e for e in journal.find(work.journals, change_id) if e["event"] == "before")
        return carry_out(work, plan, goal, kind="rollback", floor=Baseline.from_fields(before))


def rollback_plan(work: Work, change_id: str) -> tuple[Plan, Goal]:
    """What `rollback` would do."""
    entries = journal.find(work.journals, change_id)
    opened, last = entries[0], entries[-1]
    if last["event"] != "closed" or last["result"] != "confirmed":
        state = last.get("result", "open")
        raise NetworkError(f"change {opened['change_id']} is {state}: there is nothing to take back")
    paths = {e["device"]: work.data_dir / e["path"] for e in entries if e["event"] == "backed-up"}
    sent = {e["device"]: e for e in entries if e["event"] == "sending"}
    told: set[str] = set()  # the goal is asked for twice: when planning and when carrying out

    def goal(name: str, text: str) -> Reading:
        platform = load_platform(work.province.devices[name].platform.value)
        running = parse(text, platform, where=f"{name} running-config")
        if backup.digest(running, platform) != sent[name]["expected"]:
            raise StalePlan(
                f"{name} was changed again after change {opened['change_id'][:8]}",
                where=name,
                fix="nothing was sent; roll the later change back first, or plan against the inventory",
            )
        if not paths[name].is_file():
            raise NotOnFile(
                f"the backup of {name} is gone", where=paths[name], fix="plan against the inventory instead"
            )
        before = sent[name].get("secrets_before", {})
        target, lost = backup.restorable_without_secrets(paths[name], running, platform, before)
        if lost and name not in told:
            told.add(name)
            work.say(f"{name}: not put back, as secrets are not kept (type by hand): {'; '.join(lost)}")
        return Reading(device=name, platform=platform, text=text, running=running, intended=target)

    found = survey(work.connect, opened["devices"], goal)
    for error in found.errors:
        raise error
    return plan_of(work.province, found.readings), goal


@contextmanager
def _disk(data_dir: Path) -> Iterator[None]:
    """A disk that refuses, told as what it is."""
    try:
        yield
    except OSError as error:
        raise NetworkError(
            f"the data directory cannot be written: {error.strerror or error}",
            where=error.filename or data_dir,
            fix="make room or give write permission, then run the command again",
        ) from error
