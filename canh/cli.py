"""The command line: parses, calls, prints. One module of `canh.verbs` a verb.

A verb module has `HELP` (one line), `arguments(parser)` and `run(args, ctx) -> int`
(0 done, 1 found something, 2 could not run). Adding a verb is adding a module.
"""

from __future__ import annotations

import argparse
import os
import pkgutil
import sys
from importlib import import_module
from pathlib import Path

import canh.verbs
from canh.context import Context
from inventory.errors import OpsError

ROOT = Path(__file__).resolve().parent.parent


def main(argv: list[str] | None = None) -> int:
    """Run one verb; `argv` defaults to the process's own."""
    arguments = sys.argv[1:] if argv is None else argv
    args = _parser(arguments).parse_args(arguments)
    ctx = Context(province_dir=args.province.resolve(), data_dir=args.data.resolve(), json=args.json)
    try:
        return int(import_module(f"canh.verbs.{args.verb.replace('-', '_')}").run(args, ctx))
    except OpsError as error:
        print(f"canh {args.verb}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


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
