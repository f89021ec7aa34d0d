"""`canh parse`: raw lines in, one ECS document a line out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO

from canh.context import Context
from monitoring.pipeline import Pipeline

HELP = "read raw log lines on standard input, print one ECS document each (NDJSON)"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--source",
        metavar="HINT",
        default="",
        help="what sent them: a folder of monitoring/parsers, or another name of that product",
    )


def run(args: argparse.Namespace, ctx: Context) -> int:
    pipeline = Pipeline(ctx.province, ctx.data_dir)
    if args.source and not pipeline.knows_hint(args.source):
        print(f"canh parse: no parser answers to {args.source!r}; each line is judged by what it says", file=sys.stderr)
    out = sys.stdout.buffer
    for line in lines_of(sys.stdin.buffer):
        event = pipeline.document_of(line, received=datetime.now(UTC), hint=args.source)
        out.write(event.as_json().encode("utf-8", "backslashreplace") + b"\n")
    out.flush()
    return 0


def lines_of(stream: BinaryIO) -> Iterator[bytes]:
    """Lines split at LF only, without it; a last line need not end in one."""
    for line in stream:
        yield line[:-1] if line.endswith(b"\n") else line
