"""The files of rule folders, as they stand on disk."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from soc.sigma.errors import RuleError

File = tuple[str, bytes | OSError | UnicodeDecodeError]


def texts(folders: Iterable[Path]) -> list[File]:
    """Path and content of every rule file, folder by folder, by path within each."""
    paths: dict[str, None] = {}  # of two rules with one id the one in the folder named first is used
    for folder in folders:
        if folder.is_file():
            paths[str(folder)] = None
        elif folder.is_dir():
            inside: list[str] = []
            _below(str(folder), inside)
            paths |= dict.fromkeys(sorted(inside))
        else:
            raise RuleError("there are no rules", where=folder, fix="name a folder of Sigma rules")
    files: list[File] = []
    for path in paths:
        try:
            with open(path, "rb", opener=_regular) as file:
                files.append((path, file.read()))
        except OSError as error:
            files.append((path, error))
    return files


def _regular(path: str, flags: int) -> int:
    """Open a file, and nothing that would be waited for: a pipe keeps detection from starting. Raises OSError."""
    handle = os.open(path, flags | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is no file")
    return handle


def _below(folder: str, paths: list[str]) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith((".yml", ".yaml")):
                paths.append(entry.path)
            elif entry.name != "tests" and entry.is_dir(follow_symlinks=False):
                _below(entry.path, paths)
