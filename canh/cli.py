"""The command line: parses, calls, prints. One module of `canh.verbs` a verb.

A verb module has `HELP` (one line), `arguments(parser)` and `run(args, ctx) -> int`
(0 done, 1 found something, 2 could not run, 75 could not run just now: a full disk, a locked
database). Adding a verb is adding a module.
"""

from __future__ import annotations

import argparse
import errno
import os
import pkgutil
import sqlite3
import sys
from importlib import import_module
from pathlib import Path

import canh.verbs
from canh.context import Context
from inventory.errors import OpsError

ROOT = Path(__file__).resolve().parent.parent
CANNOT_RUN, TRY_AGAIN = 2, 75  # 75 is EX_TEMPFAIL of sysexits.h
_PASSING_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE})
_PASSING_SQLITE = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_NOMEM}
)


def main(argv: list[str] | None = None) -> int:
    """Run one verb; `argv` defaults to the process's own."""
    arguments = sys.argv[1:] if argv is None else argv
    args = _parser(arguments).parse_args(arguments)
    if args.store:
        os.environ["CANH_STORE"] = args.store  # so that the parts of `canh run` have it too, and no list of processes
    ctx = Context(province_dir=args.province.resolve(), data_dir=args.data.resolve(), json=args.json)
    try:
        return int(import_module(f"canh.verbs.{args.verb.replace('-', '_')}").run(args, ctx))
    except OpsError as error:
        print(f"canh {args.verb}: {error}", file=sys.stderr)
        return TRY_AGAIN if _may_pass(error) else CANNOT_RUN
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _may_pass(error: BaseException) -> bool:
    """Whether an error comes from something that ends without anybody changing the configuration."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _PASSING_ERRNOS:
            return True
        if isinstance(cause, sqlite3.Error) and getattr(cause, "sqlite_errorcode", 0) & 0xFF in _PASSING_SQLITE:
            return True  # the low octet is the primary code of an extended one
        cause = cause.__cause__
    return False


def _parser(arguments: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="canh", description="Keeps watch over a province's data centre and network.")
    parser.add_argument(
        "--province",
        type=Path,
        metavar="DIR",
        default=Path(os.environ.get("CANH_PROVINCE", ROOT / "inventory/provinces/lab")),
        help="inventory folder (env CANH_PROVINCE, default the lab province)",
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        default=Path(os.environ.get("CANH_DATA", "var")),
        help="data directory (env CANH_DATA, default var/)",
    )
    parser.add_argument(
        "--store",
        metavar="STORE",
        help="parquet (in the data directory) or elasticsearch://HOST... (env CANH_STORE; default DATA/store.yaml)",
    )
    parser.add_argument("--json", action="store_true", help="print for programs")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    names = sorted(m.name for m in pkgutil.iter_modules(canh.verbs.__path__))
    for name in names:
        # Importing every verb's libraries costs seconds; only the one that is called, or all for --help.
        wanted = name.replace("_", "-") in arguments or not {n.replace("_", "-") for n in names} & set(arguments)
        if wanted:
            module = import_module(f"canh.verbs.{name}")
            module.arguments(verbs.add_parser(name.replace("_", "-"), help=module.HELP, description=module.HELP))
    return parser


if __name__ == "__main__":
    sys.exit(main())
