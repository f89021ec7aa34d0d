"""Backups of running configurations: `<data>/backups/<device>/<time>-<hash>.conf`, without secrets.

A secret is written `<masked>`; putting a backup back takes the secret from the device itself, where
it still is unless somebody removed or replaced it (then SecretLost says so, and nothing is typed).
Whether it is still the same is told by a keyed hash in the journal; the key is `<data>/digest.key`.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from network.errors import NotOnFile, SecretLost
from network.journal import sync_folder
from network.platform import MASKED, Platform
from network.tree import Node, Tree, canonical, lines_of, masked, parse

KEY = "digest.key"
TIME = "%Y%m%dT%H%M%S%fZ"


def digest(tree: Tree, platform: Platform) -> str:
    """What a configuration means, as SHA-256 over its masked lines: equal for equal configurations."""
    text = "\n".join(lines_of(canonical(masked(tree, platform), platform)))
    return hashlib.sha256(text.encode()).hexdigest()


def secret_marks(tree: Tree, platform: Platform, data_dir: Path) -> dict[str, str]:
    """A keyed hash of each secret by its masked line (below its sections), so that a changed one is noticed.

    Without the key a hash says nothing about the secret, however short that is.
    """
    lines: dict[str, list[str]] = {}
    for masked_path, path in _secret_paths(tree, platform):
        lines.setdefault(masked_path, []).append(path)
    key = _key(data_dir) if lines else b""
    return {
        name: hmac.new(key, "\0".join(sorted(found)).encode(), hashlib.sha256).hexdigest()
        for name, found in lines.items()
    }


def replaced_secrets(target: Tree, before: Mapping[str, str], platform: Platform, data_dir: Path) -> tuple[str, ...]:
    """The secrets of `target` that are not what `before` (secret_marks) says they were."""
    now = secret_marks(target, platform, data_dir)
    return tuple(name for name in now if name in before and now[name] != before[name])


def save(data_dir: Path, device: str, text: str, platform: Platform, *, at: datetime) -> Path:
    """Write the running configuration `text` (as the device shows it), masked; returns its path when on disk."""
    lines = [_masked_line(line, platform) for line in text.splitlines()]
    content = "\n".join(lines).encode() + b"\n"
    folder = data_dir / "backups" / device
    folder.mkdir(parents=True, exist_ok=True)
    sync_folder(data_dir)
    sync_folder(data_dir / "backups")
    path = folder / f"{at.strftime(TIME)}-{hashlib.sha256(content).hexdigest()[:12]}.conf"
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        os.fchmod(file.fileno(), 0o640)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    sync_folder(folder)
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


def restorable(path: Path, device: str, running: Tree, platform: Platform, before: Mapping[str, str]) -> Tree:
    """The configuration of a backup, its masked secrets taken from what `device` runs now.

    before: the secret_marks of what was backed up, as far as known. Raises SecretLost when it lacks a secret that
    the device no longer has either, or has another in its place.
    """
    target = _with_secrets(parse(path.read_text(encoding="utf-8"), platform, where=path), running, platform)
    # backups/<device>/<file> lies in the data directory that has the key.
    if lost := lost_secrets(target) or replaced_secrets(target, before, platform, path.parents[2]):
        raise SecretLost(
            f"the backup of {device} cannot be put back: it lacks the secret of {lost[0]!r}",
            where=path,
            fix="type that line on the device with its secret, then run the command again",
        )
    return target


def restorable_without_secrets(
    path: Path, running: Tree, platform: Platform, before: Mapping[str, str]
) -> tuple[Tree, tuple[str, ...]]:
    """As `restorable`, without the lines whose secret is gone, and with what was put in its place; and those lines."""
    target = _with_secrets(parse(path.read_text(encoding="utf-8"), platform, where=path), running, platform)
    lost = lost_secrets(target) + replaced_secrets(target, before, platform, path.parents[2])
    return _without_masked(target), lost


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


def _secret_paths(tree: Tree, platform: Platform, above: str = "") -> Iterator[tuple[str, str]]:
    """Each line that holds a secret, masked and as it is, after the sections it is in."""
    for node in tree:
        masked_line = platform.masked(node.line)
        if masked_line != node.line:
            yield above + masked_line, above + node.line
        yield from _secret_paths(node.children, platform, f"{above}{masked_line} / ")


def _key(data_dir: Path) -> bytes:
    """The key of this data directory's secret marks; made when there is none."""
    path = data_dir / KEY
    if not path.exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        part = data_dir / f".{KEY}.{secrets.token_hex(8)}"
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was first: its key counts
            path.hardlink_to(part)
        part.unlink()
        sync_folder(data_dir)
    return path.read_bytes()


def _masked_line(line: str, platform: Platform) -> str:
    bare = line.strip()
    return line.replace(bare, platform.masked(bare)) if bare else ""
