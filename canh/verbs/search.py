"""`canh search`: stored events that fit a query, newest first, as NDJSON, CSV or Parquet."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import IO

from canh import audit
from canh.context import Context
from canh.moments import add_span, moment_of
from inventory.errors import OpsError

HELP = "print stored events that fit a Lucene query, newest first (NDJSON, CSV, Parquet)"
DEFAULT_LIMIT = 100
FORMATS = ("ndjson", "csv", "parquet")
WORTH_SAYING = 10_000  # events taken out at once


class ExportError(OpsError):
    """The file cannot be written."""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "query", metavar="QUERY", help="for example 'event.action:login AND source.ip:10.0.0.0/8'; \"\" is all"
    )
    add_span(parser)
    parser.add_argument("--limit", type=_natural, default=DEFAULT_LIMIT, help="at most so many; 0 is all (default 100)")
    parser.add_argument("--fields", metavar="A,B", default="", help="only these fields, separated by commas")
    parser.add_argument("--format", choices=FORMATS, default="ndjson", help="how to write them (default ndjson)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write here instead of standard output")


def run(args: argparse.Namespace, ctx: Context) -> int:
    from monitoring.export import FORMATS as WRITERS
    from monitoring.export import opened
    from monitoring.store import reader

    start, end = moment_of(args.start, ctx), moment_of(args.end, ctx)
    fields = [field.strip() for field in args.fields.split(",") if field.strip()]
    found = reader(ctx.data_dir).search(args.query, start, end, limit=args.limit or None, fields=fields)

    def write(out: IO[bytes]) -> None:
        count = WRITERS[args.format](found, out, fields)
        if count >= WORTH_SAYING:
            audit.say("search-exported", events=count, query=args.query[:1000], file=str(args.output or "-"))
        if args.output is not None:
            print(f"{count} events in {args.output}", file=sys.stderr)

    if args.output is None:
        write(sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return 0
    try:
        with opened(args.output) as file:
            write(file)
    except OSError as error:
        raise ExportError(
            f"the file cannot be written: {error.strerror}", where=args.output, fix="choose another place"
        ) from error
    return 0


def _natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of events: write 0 for all, or 100")
    return int(text)
