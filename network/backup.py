"""Backups of running configurations: `<data>/backups/<device>/<time>-<hash>.conf`, without secrets.

A secret is written `<masked>`; putting a backup back takes the secret from the device itself, where
it still is unless somebody removed it (then SecretLost says so, and nothing is typed).
"""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from network.errors import NotOnFile, SecretLost
from network.platform import MASKED, Platform
from network.tree import Node, Tree, canonical, lines_of, masked, parse

TIME = "%Y%m%dT%H%M%S%fZ"


def digest(tree: Tree, platform: Platform) -> str:
    """What a configuration means, as SHA-256 over its masked lines: equal for equal configurations."""
    text = "\n".join(lines_of(canonical(masked(tree, platform), platform)))
    return hashlib.sha256(text.encode()).hexdigest()


def save(data_dir: Path, device: str, text: str, platform: Platform, *, at: datetime) -> Path:
    """Write the running configuration `text` (as the device shows it), masked; returns its path when on disk."""
    lines = [_masked_line(line, platform) for line in text.splitlines()]
    content = "\n".join(lines).encode() + b"\n"
    folder = data_dir / "backups" / device
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{at.strftime(TIME)}-{hashlib.sha256(content).hexdigest()[:12]}.conf"
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        os.fchmod(file.fileno(), 0o640)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    return path


def latest(data_dir: Path, device: str) -> Path:
    """The newest backup of `device`. Raises NotOnFile when there is none."""
    folder = data_dir / "backups" / device
    paths = sorted(folder.glob("*.conf"))
    if not paths:
        raise NotOnFile(f"{device} has no backup", where=folder, fix="canh apply makes one before each change")
    return paths[-1]


def age(data_dir: Path, device: str, *, now: datetime) -> timedelta | None:
    """How old the newest backup of `device` is; None when there is none."""
    try:
        stamp = latest(data_dir, device).name.partition("-")[0]
    except NotOnFile:
        return None
    return now - datetime.strptime(stamp, TIME).replace(tzinfo=UTC)


def restorable(path: Path, device: str, running: Tree, platform: Platform) -> Tree:
    """The configuration of a backup, its masked secrets taken from what `device` runs now.

    Raises SecretLost when it lacks a secret that the device no longer has either.
    """
    target = _with_secrets(parse(path.read_text(encoding="utf-8"), platform, where=path), running, platform)
    if lost := lost_secrets(target):
        raise SecretLost(
            f"the backup of {device} cannot be put back: it lacks the secret of {lost[0]!r}",
            where=path,
            fix="type that line on the device with its secret, then run the command again",
        )
    return target


def restorable_without_secrets(path: Path, running: Tree, platform: Platform) -> tuple[Tree, tuple[str, ...]]:
    """As `restorable`, without the lines whose secret is lost; and those lines."""
    target = _with_secrets(parse(path.read_text(encoding="utf-8"), platform, where=path), running, platform)
    return _without_masked(target), lost_secrets(target)


def lost_secrets(tree: Tree) -> tuple[str, ...]:
    """The lines of `tree` that are still masked."""
    return tuple(line.strip() for line in lines_of(tree) if MASKED in line)


def _without_masked(tree: Tree) -> Tree:
    return tuple(Node(n.line, _without_masked(n.children)) for n in tree if MASKED not in n.line)


def _with_secrets(stored: Tree, running: Tree, platform: Platform) -> Tree:
    """`stored` with each masked line replaced by the line of `running` it stands for, where there is one."""
    real = {platform.masked(node.line): node for node in running}
    nodes = []
    for node in stored:
        same = real.get(node.line)
        below = _with_secrets(node.children, same.children if same else (), platform)
        nodes.append(Node(same.line if same else node.line, below))
    return tuple(nodes)


def _masked_line(line: str, platform: Platform) -> str:
    bare = line.strip()
    return line.replace(bare, platform.masked(bare)) if bare else ""
