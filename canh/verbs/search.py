"""`canh search`: stored events that fit a query, newest first, as NDJSON."""

from __future__ import annotations

import argparse
import re
import sys
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from canh.context import Context
from monitoring.query import moment
from monitoring.store import Store

HELP = "print stored events that fit a Lucene query, newest first (NDJSON)"
DEFAULT_LIMIT = 100


def arguments(parser: argparse.ArgumentParser) -> None:
    # argparse takes "-15m" for an option unless it looks like a negative number to it.
    parser._negative_number_matcher = re.compile(r"-\d+(ms|s|m|h|d|w)?$")
    parser.add_argument(
        "query", metavar="QUERY", help="for example 'event.action:login AND source.ip:10.0.0.0/8'; \"\" is all"
    )
    parser.add_argument("--from", dest="start", metavar="TIME", help="from this time on: -15m, now-1d, 2026-03-01")
    parser.add_argument("--to", dest="end", metavar="TIME", help="before this time")
    parser.add_argument("--limit", type=int, default=DEFAULT_LIMIT, help="at most so many; 0 is all (default 100)")
    parser.add_argument("--fields", metavar="A,B", default="", help="only these fields, separated by commas")


def run(args: argparse.Namespace, ctx: Context) -> int:
    start, end = (_moment(text, ctx) for text in (args.start, args.end))
    fields = [field.strip() for field in args.fields.split(",") if field.strip()]
    found = Store(ctx.data_dir).search(args.query, start, end, limit=args.limit or None, fields=fields)
    out = sys.stdout.buffer
    for event in found:
        out.write(event.as_json().encode("utf-8", "backslashreplace") + b"\n")
    out.flush()
    return 0


def _moment(text: str | None, ctx: Context) -> datetime | None:
    """A time as written on the command line, in the province's zone where it states none."""
    if text is None:
        return None
    is_dated = text[:1].isdigit()
    return moment(text, now=datetime.now(UTC), zone=ZoneInfo(ctx.province.time_zone) if is_dated else UTC)
