"""The root of a machine: its image's read-only layers under a writable one, by overlayfs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from infra.command import run
from infra.errors import CommandFailed, MachineFailed
from infra.spec import MachineFile


def is_mounted(path: Path) -> bool:
    """Whether something is mounted at `path`."""
    return any(line.split()[4] == str(path) for line in Path("/proc/self/mountinfo").read_text().splitlines())


def mounts_below(folder: Path) -> tuple[Path, ...]:
    """Mount points inside `folder`, the deepest first."""
    points = [Path(line.split()[4]) for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return tuple(sorted((p for p in points if p.is_relative_to(folder)), key=lambda p: -len(p.parts)))


def require_layers(layers: Sequence[str]) -> None:
    """Raise MachineFailed when a layer is missing: asked before anything that works is stopped."""
    missing = [layer for layer in layers if not Path(layer).is_dir()]
    if missing:
        raise MachineFailed("a layer of the machine's image is missing", where=missing[0], fix="run `canh lab up`")


def mount(folder: Path, layers: Sequence[str]) -> Path:
    """Mount `folder`/root over `layers` (uppermost first) and give its path; as it is when already mounted."""
    root = folder / "root"
    for name in ("upper", "work", "root"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    if not is_mounted(root):
        options = f"lowerdir={':'.join(layers)},upperdir={folder / 'upper'},workdir={folder / 'work'}"
        run("mount", "-t", "overlay", "overlay", "-o", options, root)
    return root


def unmount(root: Path) -> None:
    """Unmount every layer of mounts at `root`; lazily when something still holds it."""
    while is_mounted(root):
        try:
            run("umount", root)
        except CommandFailed:  # a holder that will not end must not stop the rest from going
            run("umount", "-l", root)


def write_files(root: Path, files: Sequence[MachineFile]) -> None:
    """Put the files into the tree; a symbolic link in the way is replaced, never followed."""
    for file in files:
        path = root / file.path.lstrip("/")
        _make_parents(root, path.parent, file.owner)
        if path.is_symlink() or path.exists():
            path.unlink()
        path.touch(mode=0o600)
        path.write_text(file.content)
        path.chmod(file.mode)
        os.chown(path, file.owner, file.owner)


def _make_parents(root: Path, folder: Path, owner: int) -> None:
    missing = []
    while folder != root and not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(mode=0o700 if owner else 0o755)
        os.chown(path, owner, owner)
