"""Carrying a change out: back up, send in waves, verify, save; or put everything back.

Every step is in the journal, on disk, before the next one begins. A change ends `confirmed` (every
device as intended, verified, saved), `reverted` (every device as it was) or `failed` (it could be
neither; the journal and the error say why). If this process dies, `recovery` ends the change at the
next command: the journal is all it needs.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import timedelta

from inventory.errors import OpsError
from inventory.model import Province
from network import backup
from network.check import NEIGHBOURS, Verdict, excused, expected, run_all, wait_for
from network.diff import commands
from network.errors import NetworkError, StalePlan
from network.fleet import Fleet
from network.journal import Journal
from network.lock import locked
from network.plan import NAMESPACE, Goal, Plan, Reading, each, each_or_raise, masked_lines, plan_of
from network.platform import Platform
from network.tree import Tree, canonical, parse
from network.work import Baseline, Outcome, Work


def carry_out(work: Work, plan: Plan, goal: Goal, *, kind: str = "apply", floor: Baseline | None = None) -> Outcome:
    """Carry out `plan`. Raises StalePlan, DeviceBusy or DeviceError before anything was sent.

    floor: hold the change to what this says held, not to what the inventory expects (a rollback returns
    to a network that may have been less).
    """
    names = tuple(d.device for d in plan.devices)
    if not names:
        return Outcome(change_id=None, result="nothing", devices=())
    change_id = _change_id(plan, work)
    with locked(work.data_dir, names, change_id=change_id), Fleet(work.province, work.connect) as fleet:
        fleet.open(names)
        readings = {name: goal(name, text) for name, text in fleet.texts(names).items()}
        _refuse_stale(work.province, plan, readings)
        return _Change(work, fleet, plan, readings, change_id, kind, floor).run()


def carry_out_now(work: Work, names: Sequence[str], goal: Goal, *, kind: str) -> Outcome:
    """Read `names`, and change in one wave whatever is not as `goal` has it."""
    with (
        locked(work.data_dir, names, change_id=kind),
        Fleet(work.province, work.connect, patience=work.patience) as fleet,
    ):
        fleet.open(names)
        readings = {name: goal(name, text) for name, text in fleet.texts(names).items()}
        plan = plan_of(work.province, readings.values())
        if not plan.devices:
            return Outcome(change_id=None, result="nothing", devices=())
        devices = tuple(d.device for d in plan.devices)
        plan = replace(plan, waves=(devices,))
        todo = {name: readings[name] for name in devices}
        return _Change(work, fleet, plan, todo, _change_id(plan, work), kind).run()


class _Change:
    """One change, under its locks, with its sessions open."""

    def __init__(
        self,
        work: Work,
        fleet: Fleet,
        plan: Plan,
        readings: dict[str, Reading],
        change_id: str,
        kind: str,
        floor: Baseline | None = None,
    ) -> None:
        self.work, self.fleet, self.plan, self.readings, self.change_id = work, fleet, plan, readings, change_id
        self.names = tuple(readings)
        self._kind = kind
        self._floor = floor
        self._sending: set[str] = set()  # devices that may have taken lines
        self._saving: set[str] = set()
        self._verdicts: tuple[Verdict, ...] = ()

    def run(self) -> Outcome:
        before = self._look()
        self._journal = Journal(self.work.journals / f"{self.change_id}.jsonl")
        try:
            self._log(
                "opened",
                change_id=self.change_id,
                operator=self.work.who,
                kind=self._kind,
                plan_id=self.plan.plan_id,
                province=self.plan.province,
                devices=list(self.names),
                blast_radius=asdict(self.plan.blast_radius),
            )
            self._log("before", **before.as_fields())
            self._back_up()
            done: frozenset[str] = frozenset()
            for number, wave in enumerate(self.plan.waves, start=1):
                self.work.say(f"wave {number} of {len(self.plan.waves)}: {', '.join(wave)}")
                self._send(wave)
                done |= set(wave)
                self._verify(number, done, before)
            self._save()
        except OpsError as error:
            return self._put_back(error.what)
        except BaseException:
            self._put_back("interrupted")
            raise
        else:
            self._log("closed", result="confirmed")
            return self._outcome("confirmed")
        finally:
            self._journal.close()

    def _back_up(self) -> None:
        for name, reading in self.readings.items():
            path = backup.save(self.work.data_dir, name, reading.text, reading.platform, at=self.work.now())
            self._log("backed-up", device=name, path=str(path.relative_to(self.work.data_dir)))

    def _send(self, wave: Sequence[str]) -> None:
        def send(name: str) -> None:
            reading = self.readings[name]
            lines = commands(reading.running, reading.intended, reading.platform)
            self._sending.add(name)
            self._log(
                "sending",
                device=name,
                platform=reading.platform.name,
                lines=list(masked_lines(lines, reading.platform)),
                basis=backup.digest(reading.running, reading.platform),
                expected=backup.digest(reading.intended, reading.platform),
                secrets_before=backup.secret_marks(reading.running, reading.platform, self.work.data_dir),
                secrets_after=backup.secret_marks(reading.intended, reading.platform, self.work.data_dir),
            )
            self.fleet[name].send(lines)
            self._log("sent", device=name)
            self.work.say(f"  {name}: {len(lines)} lines")

        each_or_raise(wave, send)

    def _look(self) -> Baseline:
        """What holds now. A push builds the network, so that no check can hold before it: nobody looks."""
        failing = None
        if self._kind != "push":
            failing = frozenset(v.name for v in run_all(self.work.checks, within=timedelta()) if not v.ok)
        return Baseline(neighbours=self.fleet.neighbours(self.names), failing=failing)

    def _verify(self, number: int, done: frozenset[str], before: Baseline) -> None:
        self._verify_texts(self.plan.waves[number - 1])
        pending = frozenset(self.names) - done
        wanted = expected(self.work.province, done)
        if self._floor is not None:
            wanted &= self._floor.neighbours
        spared = excused(wanted, up_before=before.neighbours, pending=pending, changing=frozenset(self.names))
        for adjacency in sorted(a for a in spared if a.neighbour not in pending):
            self.work.say(f"  {adjacency}: was down before this change, not held against it")
        self.work.say("  waiting for routing neighbours")
        hold = self.work.hold if wanted & before.neighbours else timedelta()
        neighbours = wait_for(wanted - spared, lambda: self.fleet.neighbours(done), within=self.work.settle, hold=hold)
        others = run_all(self.work.checks, within=self.work.settle) if neighbours.ok else ()
        self._verdicts = (neighbours, *others)
        for verdict in self._verdicts:
            self.work.say(f"  {verdict.name}: {'ok' if verdict.ok else 'FAILED'}, {verdict.detail}")
        self._log("verified", wave=number, checks=[asdict(v) for v in self._verdicts])
        if bad := [v for v in self._verdicts if not v.ok and not self._is_pardoned(v, before)]:
            raise NetworkError("; ".join(f"{v.name}: {v.detail}" for v in bad))

    def _is_pardoned(self, verdict: Verdict, before: Baseline) -> bool:
        """Whether a check failed before too, or failed in the network this change returns to."""
        if verdict.name == NEIGHBOURS:
            return False
        was_failing = before.failing is not None and verdict.name in before.failing
        return was_failing or (
            self._floor is not None and (self._floor.failing is None or verdict.name in self._floor.failing)
        )

    def _verify_texts(self, wave: Sequence[str]) -> None:
        def verify(name: str) -> None:
            reading, text = self.readings[name], self.fleet[name].running()
            now = parse(text, reading.platform, where=f"{name} running-config")
            if canonical(now, reading.platform) != canonical(reading.intended, reading.platform):
                left = masked_lines(commands(now, reading.intended, reading.platform), reading.platform)
                raise NetworkError(f"{name} took every line and still lacks: {'; '.join(left)}")

        each_or_raise(wave, verify)

    def _save(self) -> None:
        def save(name: str) -> None:
            self._saving.add(name)
            self._log("saving", device=name)
            self.fleet[name].save()
            reading = self.readings[name]
            backup.save(self.work.data_dir, name, self.fleet[name].running(), reading.platform, at=self.work.now())
            self._log("saved", device=name)

        each_or_raise(self.names, save)

    def _put_back(self, reason: str) -> Outcome:
        self.work.say(f"reverting: {reason}")
        with suppress(OSError):  # a journal that cannot be written is no reason to leave devices half-way
            self._log("reverting", reason=reason)

        def restore(name: str) -> None:
            reading = self.readings[name]
            put_back(self.fleet, name, reading.running, reading.platform, save=name in self._saving)
            with suppress(OSError):
                self._log("reverted", device=name)

        errors = each([n for n in self.names if n in self._sending], restore)[1]
        if errors:
            raise _unfinished(self.change_id, reason, errors.values())
        self._log("closed", result="reverted", reason=reason)
        return self._outcome("reverted", reason)

    def _outcome(self, result: str, reason: str = "") -> Outcome:
        return Outcome(
            change_id=self.change_id, result=result, devices=self.names, reason=reason, verdicts=self._verdicts
        )

    def _log(self, event: str, **fields: object) -> None:
        self._journal.append(event, self.work.now(), **fields)


def put_back(fleet: Fleet, name: str, target: Tree, platform: Platform, *, save: bool) -> None:
    """Take `name` back to `target`, whatever it runs now, and see that it is there.

    Opens a new session when the old one is gone. Raises NetworkError when the device does not get there.
    """
    try:
        now = fleet[name].running()
    except OpsError:
        now = fleet.again(name).running()
    fleet[name].send(commands(parse(now, platform), target, platform))
    after = parse(fleet[name].running(), platform)
    if left := commands(after, target, platform):
        raise NetworkError(f"{name} is not back yet, it lacks: {'; '.join(masked_lines(left, platform))}")
    if save:
        fleet[name].save()


def _refuse_stale(province: Province, plan: Plan, readings: Mapping[str, Reading]) -> None:
    fresh = {d.device: d for d in plan_of(province, readings.values()).devices}
    for planned in plan.devices:
        reading, found = readings[planned.device], fresh.get(planned.device)
        has_device_moved = backup.digest(reading.running, reading.platform) != planned.basis
        if has_device_moved or found is None or found.change != planned.change:
            who = f"the configuration of {planned.device}" if has_device_moved else "the inventory"
            raise StalePlan(
                f"{who} moved since plan {plan.plan_id[:8]} was made",
                where=planned.device,
                fix="nothing was sent; look at what is new and plan again: canh plan",
            )


def _change_id(plan: Plan, work: Work) -> str:
    return str(uuid.uuid5(NAMESPACE, f"{plan.plan_id} {work.who} {work.now().isoformat()}"))


def _unfinished(change_id: str, reason: str, errors: Iterable[OpsError]) -> NetworkError:
    said = "; ".join(str(e.what) for e in errors)
    return NetworkError(
        f"change {change_id[:8]} failed ({reason}) and is not reverted everywhere: {said}",
        fix="the next canh plan, apply, drift or rollback tries again; the journal is open until then",
    )
