"""Bakes the layer of each kind of host: boots a machine of it on the base, configures it, keeps what it wrote.

All kinds that are missing are baked side by side in one Ansible run, in a small lab of their own
that is gone afterwards. Its id comes from the content baked, so a killed bake is found and removed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Interface
from pathlib import Path

from infra import ansible, images, keys, machine, netns, overlay, sweep
from infra.day0 import identity_files, management_files
from infra.errors import ImageFailed
from infra.images import Progress
from infra.names import MGMT_BRIDGE, LabNames, mac_of
from infra.spec import MachineSpec
from inventory.model import Province

STATION = IPv4Interface("10.250.255.1/24")
CLEAN = images.PLAYBOOKS / "image-clean.txt"
# What every machine is given before its first boot must not come from an image, whatever the roles' own list says.
ALWAYS_CLEAN = (
    "etc/systemd/network/10-canh-*.network",
    "etc/ssh/ssh_host_*",
    "etc/hostname",
    "etc/machine-id",
    "etc/hosts",
    "home/ansible/.ssh",
    "home/ansible/.ansible",
    "var/log/journal/*",
)


def ensure_images(kinds: Sequence[str], province: Province, province_dir: Path, progress: Progress) -> None:
    """Base and layers of these kinds, built where the cache has none. Raises ImageFailed."""
    base = images.ensure_base(progress)
    if all(images.image_of(kind).is_dir() for kind in kinds):
        return
    with images.building(progress):
        missing = [kind for kind in kinds if not images.image_of(kind).is_dir()]
        if missing:
            progress(f"baking the images of {', '.join(missing)}: a minute or two, once for this state of playbooks/")
            _bake(missing, base, province, province_dir, progress)
            images.forget_old()


def _bake(kinds: Sequence[str], base: Path, province: Province, province_dir: Path, progress: Progress) -> None:
    lab = "b" + images.image_of(kinds[0]).name.rpartition("-")[2][:5]
    names = LabNames(lab=lab)
    sweep.sweep(lab)
    names.directory.mkdir(parents=True)
    (names.directory / "bake").touch()
    try:
        specs = _start(lab, kinds, base)
        progress(f"bake machines are up; Ansible configures {', '.join(kinds)}")
        ansible.play("bake", _inventory(names, specs), names.directory / "data", province_dir, progress)
        for spec in specs:
            progress(f"freezing the image of {spec.kind}")
            _freeze(spec)
    finally:
        sweep.sweep(lab)


def _start(lab: str, kinds: Sequence[str], base: Path) -> list[MachineSpec]:
    names = LabNames(lab=lab)
    sweep.prepare_host()
    netns.ensure(names.station)
    netns.ensure_bridge(names.station, MGMT_BRIDGE, str(STATION))
    data_dir = names.directory / "data"
    made = keys.ensure_keys(data_dir, [_name(kind) for kind in kinds])
    specs = []
    for number, kind in enumerate(kinds):
        management = IPv4Interface(f"{STATION.ip + 1 + number}/24")
        identity = identity_files(lab, _name(kind), made.authorized_key, made.host_keys[_name(kind)])
        specs.append(
            MachineSpec(
                lab=lab,
                device=_name(kind),
                kind=kind,
                layers=(str(base),),
                files=(*identity, *management_files(management)),
                binds=(),
                management=management,
                mac=mac_of(_name(kind), "mgmt0"),
                forwards=False,
            )
        )
    keys.write_ssh_files(data_dir, lab, {spec.device: spec.management.ip for spec in specs}, made)
    with ThreadPoolExecutor(len(specs)) as pool:
        list(pool.map(machine.ensure, specs))
    return specs


def _inventory(names: LabNames, specs: Sequence[MachineSpec]) -> Path:
    """An Ansible inventory of the bake machines, each in the group of its kind."""
    document: dict[str, object] = {spec.kind: {"hosts": {spec.device: {}}} for spec in specs}
    file = names.directory / "data/lab/bake.json"
    file.write_text(json.dumps(document, indent=1))
    return file


def _freeze(spec: MachineSpec) -> None:
    """Stop the machine and make its writable layer an image."""
    folder = LabNames(lab=spec.lab).machine_dir(spec.device)
    machine.halt(spec.lab, spec.device)
    clean(folder / "root", [*ALWAYS_CLEAN, *clean_globs()])
    overlay.unmount(folder / "root")
    image = images.image_of(spec.kind)
    unfinished = image.with_name(f".building-{image.name}")
    # cp and not a rename: the cache may be another file system; overlayfs keeps its marks in extended attributes.
    done = subprocess.run(
        ["cp", "-a", "--reflink=auto", folder / "upper", unfinished], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise ImageFailed(f"the image of {spec.kind} could not be kept: {done.stderr.strip()}", where=unfinished)
    unfinished.rename(image)


def clean_globs() -> list[str]:
    """What the roles' owner wants out of an image: playbooks/image-clean.txt, globs from its root."""
    if not CLEAN.is_file():
        return []
    lines = (line.partition("#")[0].strip() for line in CLEAN.read_text().splitlines())
    return [line for line in lines if line]


def clean(root: Path, globs: Sequence[str]) -> None:
    """Delete what matches below `root`; links are removed, never followed."""
    for pattern in globs:
        for path in root.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _name(kind: str) -> str:
    return f"bake-{kind}"
