"""Ending changes whose process died, from their journals.

A journal without `closed` whose devices' locks can be taken belongs to a dead process. If every device
of the change already runs the new configuration and the neighbours are up, the change is finished
(saved, confirmed). Otherwise every device that may have taken a line goes back to its backup. Doing it
twice, or dying while doing it, is harmless: the journal stays open until all devices are one or the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from inventory.errors import OpsError
from network import backup, journal
from network.change import put_back
from network.check import expected, wait_for
from network.errors import DeviceBusy, NetworkError
from network.fleet import Fleet
from network.journal import Entry, Journal
from network.lock import locked
from network.plan import each_or_raise
from network.platform import load_platform
from network.tree import Tree, parse
from network.work import Outcome, Work


def recover(work: Work) -> tuple[Outcome, ...]:
    """End every change that was interrupted; changes that are still alive are left alone.

    Raises NetworkError when a device of one is neither new nor back; the next call tries again.
    """
    outcomes = []
    for path in journal.open_changes(work.journals):
        entries = journal.entries(path)
        if not entries:
            path.unlink()  # died before its first line was whole: nothing was sent
            continue
        opened = entries[0]
        try:
            with locked(work.data_dir, opened["devices"], change_id=opened["change_id"]):
                outcomes.append(_end(work, path))
        except DeviceBusy:
            continue
    return tuple(outcomes)


def _end(work: Work, path: Path) -> Outcome:
    """End the change of one journal, under its locks."""
    entries = journal.entries(path)  # again: it may have been ended before we had the locks
    opened, short = entries[0], entries[0]["change_id"][:8]
    if journal.is_closed(entries):
        return _outcome(opened, entries[-1]["result"])
    work.say(f"change {short} of {opened['at']} was interrupted: ending it")
    log = Journal(path)
    try:
        log.append("recovering", work.now())  # what follows is of this change, however long ago it was opened
        result = _finish_or_revert(work, entries, log)
        log.append("closed", work.now(), result=result, reason="interrupted")
    except OpsError as error:
        raise NetworkError(
            f"change {short} was interrupted and cannot be ended yet: {error.what}",
            where=error.where,
            fix=error.fix or "make the device reachable; the next command tries again",
        ) from error
    finally:
        log.close()
    work.say(f"change {short}: {result}")
    return _outcome(opened, result)


def _finish_or_revert(work: Work, entries: tuple[Entry, ...], log: Journal) -> str:
    if entries[0].get("kind") == "hosts":
        return "failed"  # nothing of it was sent by us and nothing can be taken back: it is only over
    sending = {e["device"]: e for e in entries if e["event"] == "sending"}
    with Fleet(work.province, work.connect) as fleet:
        fleet.open(sending)
        running = {
            name: parse(text, load_platform(sending[name]["platform"]), where=f"{name} running-config")
            for name, text in fleet.texts(sending).items()
        }
        if set(sending) == set(entries[0]["devices"]) and _is_new(work, fleet, running, sending):
            each_or_raise(running, lambda name: fleet[name].save())
            return "confirmed"
        backups = {e["device"]: work.data_dir / e["path"] for e in entries if e["event"] == "backed-up"}
        saving = {e["device"] for e in entries if e["event"] == "saving"}

        def restore(name: str) -> None:
            platform = load_platform(sending[name]["platform"])
            before = sending[name].get("secrets_before", {})
            target = backup.restorable(backups[name], name, running[name], platform, before)
            put_back(fleet, name, target, platform, save=name in saving)
            log.append("reverted", work.now(), device=name)

        each_or_raise(running, restore)
        return "reverted"


def _is_new(work: Work, fleet: Fleet, running: Mapping[str, Tree], sending: Mapping[str, Entry]) -> bool:
    """Whether every device runs what the change wanted, and the neighbours are up."""
    for name, tree in running.items():
        platform, wanted_here = load_platform(sending[name]["platform"]), sending[name]
        if backup.digest(tree, platform) != wanted_here["expected"]:
            return False
        after = wanted_here.get("secrets_after")  # journals of earlier versions say nothing of secrets
        if after is not None and backup.secret_marks(tree, platform, work.data_dir) != after:
            return False
    wanted = expected(work.province, running)
    return wait_for(wanted, lambda: fleet.neighbours(running), within=work.settle, hold=work.hold).ok


def _outcome(opened: Entry, result: str) -> Outcome:
    return Outcome(change_id=opened["change_id"], result=result, devices=tuple(opened["devices"]), reason="interrupted")
