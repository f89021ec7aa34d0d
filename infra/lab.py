"""A lab from end to end: up, down, status. Progress goes to a function, results are values."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from infra import forward, images, keys, lock, machine, preflight, sweep
from infra.bake import ensure_images
from infra.errors import LabBusy, LabError
from infra.layout import kinds_of
from infra.names import LabNames
from infra.stack import Stack
from infra.toolchain.engine import pulumi_dir
from inventory.model import Province

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabFolder:
    """Where a lab's inventory and data are, and its id."""

    lab: str
    province_dir: Path
    data_dir: Path

    @property
    def names(self) -> LabNames:
        return LabNames(lab=self.lab)

    @property
    def state_file(self) -> Path:
        return self.data_dir / "lab/lab.json"

    def stack(self, progress: Progress) -> Stack:
        return Stack(lab=self.lab, province_dir=self.province_dir, data_dir=self.data_dir, tools=pulumi_dir(progress))


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Tells what is being done and, after each step, how long it took."""

    progress: Progress
    started: float

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        self.progress(f"{title} ...")
        start = time.monotonic()
        yield
        self.progress(f"{title}: {time.monotonic() - start:.1f} s")


def up(folder: LabFolder, province: Province, progress: Progress) -> None:
    """Make the lab, or whatever of it is missing, and write the files others reach it by.

    Raises HostUnfit before anything is made, LabBusy while another command works on it, StackFailed with the reason.
    """
    LabNames(lab=folder.lab)
    port = forward.console_port()
    preflight.check()
    with lock.held(folder.lab, progress) as descriptor:
        forward.require_free(folder.lab, port)
        _claim(folder, progress)
        steps = Steps(progress=progress, started=time.monotonic())
        with steps.step("images"):
            ensure_images(kinds_of(province), province, folder.province_dir, progress)
        with steps.step("machines and links"):
            _machines_and_links(folder, province, progress, descriptor)
        console = forward.ensure(folder.lab, port, province.soc.management_address)
        _write_state(folder, province, console)


def down(folder: LabFolder, progress: Progress) -> None:
    """Take the lab away, whatever state it is in; harmless when there is none."""
    LabNames(lab=folder.lab)
    preflight.require_root()
    with lock.held(folder.lab, progress) as descriptor:
        _refuse_foreign(folder)
        stack = folder.stack(progress) if (folder.data_dir / "lab/pulumi").is_dir() else None
        forward.remove(folder.lab)
        try:
            if stack is not None:
                stack.destroy(progress, descriptor)
        except LabBusy:
            raise
        except LabError as error:
            progress(f"pulumi could not take all of it down, so it is swept away instead: {error.what}")
        sweep.sweep(folder.lab)
        shutil.rmtree(folder.data_dir / "lab", ignore_errors=True)
        sweep_unfinished_bakes()


def is_up(folder: LabFolder) -> bool:
    """Whether the last `up` of this data directory was completed and not followed by `down`."""
    return _state(folder).get("state") == "up"


def status(folder: LabFolder, province: Province) -> tuple[tuple[machine.MachineState, IPv4Address], ...]:
    """Each machine of the inventory as it is now, with its management address."""
    return tuple(
        (machine.state(folder.lab, device.name), device.management_address) for device in province.devices.values()
    )


def console_of(folder: LabFolder) -> str | None:
    """Address of the console, None while the lab is not up."""
    console = _state(folder).get("console")
    return console if isinstance(console, str) else None


def sweep_unfinished_bakes() -> None:
    """Remove machines of image builds that were killed; a build that is going on is left alone."""
    with images.idle() as nobody_builds:
        for lab in sweep.labs() if nobody_builds else ():
            if (LabNames(lab=lab).directory / "bake").exists():
                sweep.sweep(lab)


def _machines_and_links(folder: LabFolder, province: Province, progress: Progress, descriptor: int) -> None:
    sweep.prepare_host()
    made = keys.ensure_keys(folder.data_dir, province.devices)
    keys.ensure_secrets(folder.data_dir)
    keys.ensure_authority(folder.data_dir)
    addresses = {device.name: device.management_address for device in province.devices.values()}
    keys.write_ssh_files(folder.data_dir, folder.lab, addresses, made)
    folder.stack(progress).up(progress, descriptor)
    sweep.sweep_strays(folder.lab, frozenset(province.devices))


def _claim(folder: LabFolder, progress: Progress) -> None:
    """A lab belongs to one data directory; what a vanished one has left is swept, a live one is refused."""
    _refuse_foreign(folder)
    if _owner(folder) not in (None, folder.data_dir):
        progress(f"removing what an earlier lab {folder.lab} has left")
        sweep.sweep(folder.lab)
    folder.names.directory.mkdir(parents=True, exist_ok=True)
    (folder.names.directory / "owner").write_text(str(folder.data_dir))
    folder.data_dir.mkdir(parents=True, exist_ok=True)
    sweep_unfinished_bakes()


def _refuse_foreign(folder: LabFolder) -> None:
    """Raise LabBusy when the lab of this id belongs to another data directory that still has it."""
    owner = _owner(folder)
    if owner not in (None, folder.data_dir) and (owner / "lab/lab.json").exists():
        raise LabBusy(
            f"lab {folder.lab} is the lab of another data directory",
            where=owner,
            fix=f"take it down with `canh --data {owner} lab down`, or set CANH_LAB to another id",
        )


def _owner(folder: LabFolder) -> Path | None:
    try:
        return Path((folder.names.directory / "owner").read_text())
    except OSError:
        return None


def _write_state(folder: LabFolder, province: Province, console: str) -> None:
    names = folder.names
    document = {
        "id": folder.lab,
        "station_netns": names.station,
        "machines": {
            device.name: {
                "netns": names.netns(device.name),
                "machine": names.machine(device.name),
                "root": str(names.machine_dir(device.name) / "root"),
                "management_address": str(device.management_address),
            }
            for device in province.devices.values()
        },
        "console": console,
        "state": "up",
    }
    draft = folder.state_file.with_suffix(".new")
    draft.write_text(json.dumps(document, indent=1) + "\n")
    draft.replace(folder.state_file)


def _state(folder: LabFolder) -> dict[str, object]:
    try:
        document = json.loads(folder.state_file.read_text())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}
