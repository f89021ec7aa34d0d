"""`canh run`: collectors, detection, delivery and console in one process tree."""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import IO, cast

from canh.context import Context
from canh.supervisor import Child, supervise
from canh.verbs import collect, deliver, detect, schedule, serve
from inventory.errors import OpsError

HELP = "collectors + detection + delivery + console in one process tree (until SIGTERM)"

PARTS: dict[str, ModuleType] = {
    "collect": collect,
    "detect": detect,
    "schedule": schedule,
    "deliver": deliver,
    "serve": serve,
}


class RunError(OpsError):
    """The platform cannot start."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Every option of every part, checked here and handed on as written."""
    for name, part in PARTS.items():
        part.arguments(parser.add_argument_group(name))
    for action in parser._actions:  # argparse has no public way to ask what was declared
        if action.type is not None:
            action.type = _as_written(cast(Callable[[str], object], action.type))


def run(args: argparse.Namespace, ctx: Context) -> int:
    held = _only_one(ctx.data_dir)
    common = ("--province", str(ctx.province_dir), "--data", str(ctx.data_dir))
    children = [
        Child(name=name, command=(sys.executable, "-m", "canh", *common, name, *_options(part, args)))
        for name, part in PARTS.items()
    ]
    with held:
        return asyncio.run(supervise(children, lambda line: print(f"canh run: {line}", file=sys.stderr, flush=True)))


def _only_one(data_dir: Path) -> IO[str]:
    """Hold the data directory for this tree. Raises RunError when another has it, or it cannot be written."""
    path = data_dir / "run.lock"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    except OSError as error:
        raise RunError(
            f"the data directory cannot be written: {error.strerror}",
            where=data_dir,
            fix="make it writable, or --data DIR",
        ) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise RunError(
            f"another canh run (pid {file.read().strip() or '?'}) has this data directory",
            where=path,
            fix="stop it, or --data DIR",
        ) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _as_written(check: Callable[[str], object]) -> Callable[[str], str]:
    """`check`, giving the text back instead of what it means."""

    def keep(text: str) -> str:
        check(text)
        return text

    return keep


def _options(part: ModuleType, args: argparse.Namespace) -> list[str]:
    """The options of `args` that belong to `part`, as its own command line takes them."""
    parser = argparse.ArgumentParser(add_help=False)
    part.arguments(parser)
    words: list[str] = []
    for action in parser._actions:
        value = getattr(args, action.dest)
        if value == action.default or value is None:
            continue
        if action.nargs == 0:
            words.append(action.option_strings[0])
        else:
            for one in value if isinstance(value, list) else [value]:
                words += [action.option_strings[0], str(one)]
    return words
