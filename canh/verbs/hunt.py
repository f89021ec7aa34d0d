"""`canh hunt`: through months of stored events, oldest first, by a query, by rules, or by both."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from canh.context import Context
from canh.moments import add_span, moment_of
from inventory.errors import OpsError

if TYPE_CHECKING:
    from monitoring.event import Event
    from soc.sigma.hunt import Found

HELP = "go through stored events, oldest first, by a query or by detection rules (NDJSON)"
SLICE = timedelta(hours=6)  # after each of them progress can be told
TELL_EVERY_S = 2.0


class HuntError(OpsError):
    """There is nothing to hunt by."""


def arguments(parser: argparse.ArgumentParser) -> None:
    text = "what to look for, or with --rules which events the rules are shown (Lucene)"
    parser.add_argument("query", metavar="QUERY", nargs="?", help=text)
    text = "folder of Sigma rules to hold against the events; may be repeated"
    parser.add_argument("--rules", type=Path, action="append", metavar="DIR", help=text)
    add_span(parser)
    parser.add_argument("--fields", metavar="A,B", default="", help="only these fields of the events found by a query")
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")


def run(args: argparse.Namespace, ctx: Context) -> int:
    if args.query is None and not args.rules:
        raise HuntError("there is nothing to hunt by", fix="give a QUERY, or --rules soc_rules")
    from monitoring.query import parse
    from monitoring.store import reader

    query = args.query or ""
    parse(query)  # a wrong query is told before anything is read
    store = reader(ctx.data_dir)
    there = store.span()
    if there is None:
        print("canh hunt: the store is empty", file=sys.stderr)
        return 0
    start = max(moment_of(args.start, ctx) or there[0], there[0])
    end = min(moment_of(args.end, ctx) or there[1] + timedelta(microseconds=1), there[1] + timedelta(microseconds=1))
    fields = [field.strip() for field in args.fields.split(",") if field.strip()]
    look = _by_rules(args.rules, ctx) if args.rules else _by_query
    progress = _Progress(start, end, quiet=args.quiet)
    for low, high in spans(start, end):
        events = store.scan(query, low, high, () if args.rules else fields, oldest_first=True)
        for document in look(progress.counted(events)):
            progress.found += 1
            sys.stdout.write(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")
        progress.reached(high)
    sys.stdout.flush()
    progress.end()
    return 0


def spans(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """[start, end) in slices."""
    while start < end:
        yield start, min(start + SLICE, end)
        start += SLICE


def _by_query(events: Iterator[Event]) -> Iterator[dict[str, Any]]:
    return (event.nested() for event in events)


def _by_rules(folders: list[Path], ctx: Context) -> Callable[[Iterator[Event]], Iterator[dict[str, Any]]]:
    from soc import placeholders
    from soc.sigma import load
    from soc.sigma.hunt import Hunt

    rules = load(folders, placeholders.of(ctx.province))
    for refusal in rules.refused:
        print(f"refused: {refusal}", file=sys.stderr)
    hunt = Hunt(rules)
    return lambda events: map(_said, hunt.take(events))


def _said(found: Found) -> dict[str, Any]:
    document: dict[str, Any] = {
        "@timestamp": found.at.isoformat(timespec="microseconds"),
        "rule_id": found.rule.id,
        "title": found.rule.title,
        "level": found.rule.level,
        "event_id": found.event_id,
        "events": found.events,
        "fields": dict(found.fields),
    }
    if found.event is not None:
        document |= {"host": found.event.text("host.name"), "message": found.event.text("message")}
    return document


class _Progress:
    """How far it is, told on standard error."""

    def __init__(self, start: datetime, end: datetime, *, quiet: bool) -> None:
        self._start, self._end, self._quiet = start, end, quiet
        self._began = self._told = time.monotonic()
        self.seen = self.found = 0

    def counted(self, events: Iterator[Event]) -> Iterator[Event]:
        for event in events:
            self.seen += 1
            yield event

    def reached(self, moment: datetime) -> None:
        now = time.monotonic()
        if not self._quiet and now - self._told >= TELL_EVERY_S:
            self._told = now
            share = (moment - self._start) / (self._end - self._start)
            self._say(f"{moment:%Y-%m-%d %H:%M}Z, {share:.0%}")

    def end(self) -> None:
        if not self._quiet:
            self._say(f"done in {time.monotonic() - self._began:.1f} s")

    def _say(self, what: str) -> None:
        print(f"canh hunt: {what}, {self.seen:,} events looked at, {self.found:,} found", file=sys.stderr, flush=True)
