"""Compiled rules kept on disk, under the hash of all they are made from.

A file is a line that says what it is, the SHA-256 of the rest, and the rest: what Python knows of the
rules as JSON, and what the engine wrote. Whatever is not exactly that is as good as not there: another
version, half a file, one changed since, one that others may write. No code is ever read from it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import date, timedelta
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

_MAGIC = b"canh rules 1\n"
_KEPT = 8  # rule sets; the oldest go
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH

Plain = dict[str, Any]
T = TypeVar("T")


def folder() -> Path:
    """Where commands keep compiled rules: below CANH_CACHE, by default ~/.cache/canh."""
    return Path(os.environ.get("CANH_CACHE") or Path.home() / ".cache/canh") / "rules"


def read(folder: Path, key: str) -> tuple[Plain, bytes] | None:
    """What was kept under `key`: Python's part and the engine's; None when there is nothing to be relied on."""
    try:
        whole = _octets(folder, key)
    except OSError:
        return None
    rest = whole[len(_MAGIC) + 32 :]
    if not whole.startswith(_MAGIC) or hashlib.sha256(rest).digest() != whole[len(_MAGIC) : len(_MAGIC) + 32]:
        return None
    long = int.from_bytes(rest[:8], "little")
    try:
        plain = json.loads(rest[8 : 8 + long])
    except ValueError:
        return None
    return plain, rest[8 + long :]


def write(folder: Path, key: str, plain: Plain, compiled: bytes) -> None:
    """Keep both parts under `key`, whole or not at all; a folder that cannot be written to is no error."""
    said = json.dumps(plain, ensure_ascii=False).encode()
    rest = len(said).to_bytes(8, "little") + said + compiled
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_private(folder.stat()):
            return
        handle, name = tempfile.mkstemp(prefix=".", dir=folder)  # mode 0600
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_MAGIC + hashlib.sha256(rest).digest() + rest)
            Path(name).replace(folder / key)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _tidy(folder)


def _octets(folder: Path, key: str) -> bytes:
    if not _is_private(folder.stat()):
        raise PermissionError(folder)
    handle = os.open(folder / key, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(handle, "rb") as file:
        if not _is_private(os.fstat(handle)):
            raise PermissionError(folder / key)
        return file.read()


def _is_private(status: os.stat_result) -> bool:
    return status.st_uid == os.geteuid() and not status.st_mode & _OTHERS_WRITE


def _tidy(folder: Path) -> None:
    """Those used longest ago go, and what a killed writer left behind."""
    files = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files[_KEPT:]:
        path.unlink(missing_ok=True)


# ---- values of ours as JSON and back


def plain(value: object) -> Any:
    """A frozen dataclass of ours, or what its fields hold, as JSON takes it."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, frozenset):
        return sorted(plain(item) for item in value)
    if isinstance(value, timedelta):
        return value // timedelta(microseconds=1)
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Path | date) else value


def maker(kind: type[T]) -> Callable[[Plain], T]:
    """What makes a `kind` of ours from what `plain` made of one. Made once, used for many."""
    hints = get_type_hints(kind)
    special = {field.name: _reader(hints[field.name]) for field in fields(kind)}  # type: ignore[arg-type]
    known = {name: reader for name, reader in special.items() if reader}

    def make(said: Plain) -> T:
        for name, reader in known.items():
            said[name] = reader(said[name])
        return kind(**said)

    return make


def _reader(hint: Any) -> Callable[[Any], Any] | None:
    if hint is timedelta:
        return lambda microseconds: timedelta(microseconds=microseconds)
    if hint is date:
        return date.fromisoformat
    if isinstance(hint, type) and is_dataclass(hint):
        return maker(hint)
    if hint is Path or (isinstance(hint, type) and issubclass(hint, Enum)):
        return hint
    if get_origin(hint) in (tuple, frozenset):
        return _reader_of_many(get_origin(hint), get_args(hint))
    return None


def _reader_of_many(kind: type, parts: tuple[Any, ...]) -> Callable[[Any], Any]:
    """Of `tuple[X, ...]`, `tuple[X, Y]` or `frozenset[X]`."""
    readers = [_reader(part) or (lambda value: value) for part in parts if part is not ...]
    if kind is tuple and ... not in parts:
        return lambda values: tuple(read(value) for read, value in zip(readers, values, strict=True))
    return lambda values: kind(map(readers[0], values))
