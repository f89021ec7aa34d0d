"""Moments on the command line: `--from -15m --to 2026-03-01`."""

from __future__ import annotations

import argparse
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from canh.context import Context


def add_span(parser: argparse.ArgumentParser) -> None:
    """`--from` and `--to`."""
    # argparse takes "-15m" for an option unless it looks like a negative number to it.
    parser._negative_number_matcher = re.compile(r"-\d+(ms|s|m|h|d|w)?$")
    parser.add_argument("--from", dest="start", metavar="TIME", help="from this time on: -15m, now-1d, 2026-03-01")
    parser.add_argument("--to", dest="end", metavar="TIME", help="before this time")


def moment_of(text: str | None, ctx: Context) -> datetime | None:
    """A time as written, in the province's zone where it states none; None for none. Raises QueryError."""
    if text is None:
        return None
    from monitoring.query import moment

    is_dated = text[:1].isdigit()
    return moment(text, now=datetime.now(UTC), zone=ZoneInfo(ctx.province.time_zone) if is_dated else UTC)
