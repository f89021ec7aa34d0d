"""One audit from end to end: controls ► observations ► findings ► evidence on disk."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from compliance import evidence
from compliance.assess import assess, assets_of
from compliance.declared import declared
from compliance.errors import ComplianceError
from compliance.gather import Scene, gather
from compliance.model import Control, Run
from inventory.model import Province

_LOCK = ".lock"


def audit(
    province: Province, data_dir: Path, controls: Sequence[Control], say: Callable[[str], None] = lambda _: None
) -> Run:
    """Probe everything `controls` asks for and write the evidence; waits for an audit that is running.

    Raises ComplianceError when there is nothing to probe or the evidence cannot be kept; the latter is found
    out before the first probe.
    """
    if not (data_dir / "lab" / "ssh_config").exists():
        raise ComplianceError("nothing says how the machines are reached", where=data_dir / "lab", fix="canh lab up")
    folder = data_dir / "evidence"
    with _alone(folder, say):
        started = datetime.now(UTC)
        before = evidence.runs(folder)
        run_id = name_after(before[-1].name if before else "", started)
        assets = assets_of({name: str(device.role) for name, device in province.devices.items()})
        facts = declared(province)
        observations = gather(Scene(province=province, data_dir=data_dir, run_id=run_id), controls, say)
        run = Run(
            run_id=run_id,
            started=started,
            finished=datetime.now(UTC),
            province=province.title,
            controls=tuple(controls),
            observations=observations,
            findings=assess(controls, observations, assets, facts),
        )
        parent = evidence.head_of(before[-1]) if before else evidence.GENESIS
        evidence.write(folder, run, assets, facts, parent)
    return run


def name_after(last: str, started: datetime) -> str:
    """The name of a run: when it began, and later than the run before it even in one second or by a clock put back.

    The chain goes from name to name.
    """
    stamp = f"{started:%Y%m%dT%H%M%S%f}"
    day, _, clock = last.partition("Z")[0].partition("T")
    if last and stamp <= (known := f"{day}T{clock.ljust(12, '9')}"):
        stamp = f"{day}T{int(known.partition('T')[2]) + 1:012}"
    return f"{stamp}Z-{uuid4().hex[:6]}"


@contextmanager
def _alone(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """The only audit of this folder: each run continues the chain of the one before it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o640)
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for the audit that is running")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        os.close(handle)


def _unwritable(folder: Path, error: OSError) -> ComplianceError:
    return ComplianceError(
        f"the evidence cannot be written: {error.strerror}", where=folder, fix="free space or make it writable"
    )
