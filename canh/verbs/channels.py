"""`canh channels`: the ways people are told of alerts, what waits on them, and whether one works."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime

from canh.context import Context

HELP = "who is told of alerts: list the channels, or send a test message over one"


def arguments(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="channels_verb", required=True, metavar="list|test")
    verbs.add_parser("list", help="each channel, what it has sent and what waits")
    sub = verbs.add_parser("test", help="send a test message")
    sub.add_argument("name", metavar="CHANNEL")


def run(args: argparse.Namespace, ctx: Context) -> int:
    from soc.delivery import load

    settings = load(ctx.province_dir, ctx.province)
    if args.channels_verb == "list":
        return _list(ctx)
    from soc.delivery import ways
    from soc.delivery.message import of_test
    from soc.errors import DeliveryError

    channel = settings.channels.get(args.name)
    if channel is None:
        known = ", ".join(settings.channels) or "none: write delivery.yaml in the province's folder"
        raise DeliveryError(f"there is no channel {args.name!r}", fix=f"name one of them: {known}")
    now = datetime.now(UTC)
    try:
        ways.send(channel, of_test(channel=channel.name, language=channel.language, at=now), ctx.data_dir, now)
    except ways.SendError as error:
        print(f"canh channels: {channel.name} does not work: {error}", file=sys.stderr)
        return 1
    print(f"sent over {channel.name}", file=sys.stderr)
    return 0


def _list(ctx: Context) -> int:
    from soc.delivery import Queue, load

    settings, path = load(ctx.province_dir, ctx.province), ctx.data_dir / "deliver.db"
    counts: dict[str, dict[str, int]] = {}
    errors: dict[str, str] = {}
    if path.exists():
        queue = Queue(path)
        counts, errors = queue.counts(), queue.errors()
        queue.close()
    for channel in settings.channels.values():
        kind, told = type(channel.how).__name__.lower(), counts.get(channel.name, {})
        if ctx.json:
            document = {"channel": channel.name, "kind": kind, **told, "error": errors.get(channel.name)}
            print(json.dumps(document, ensure_ascii=False))
        else:
            numbers = ", ".join(f"{n} {state}" for state, n in sorted(told.items())) or "nothing yet"
            why = f"  {errors[channel.name]}" if channel.name in errors else ""
            print(f"{channel.name:<20} {kind:<8} {numbers}{why}")
    if not settings.channels:
        print("nobody is told of alerts: write delivery.yaml in the province's folder", file=sys.stderr)
    return 0
