"""`canh render`: intended configurations as files, no device touched."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from canh.context import Context
from network.errors import NetworkError
from network.plan import intended_of, routers

HELP = "write the intended configurations of routers; touches no device"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("targets", nargs="*", metavar="SITE|DEVICE", help="all routers when none is named")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="one DEVICE.conf each")


def run(args: argparse.Namespace, ctx: Context) -> int:
    texts = {name: intended_of(ctx.province, name) for name in routers(ctx.province, args.targets)}
    try:
        args.output.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (args.output / f"{name}.conf").write_text(text, encoding="utf-8")
    except OSError as error:
        raise NetworkError(
            f"cannot write there: {error.strerror}", where=error.filename or args.output, fix="choose another -o DIR"
        ) from error
    print(f"{len(texts)} configurations in {args.output}", file=sys.stderr)
    return 0
