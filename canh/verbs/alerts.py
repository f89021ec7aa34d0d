"""`canh alerts`: the queue on the command line, NDJSON out."""

from __future__ import annotations

import argparse
import getpass
import json
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from canh.cli import ROOT
from canh.context import Context
from monitoring.query import moment
from soc.alert import Level, Resolution, Status
from soc.cases import Case, CaseStore, Filter, document_of
from soc.hold_keeper import HoldKeeper
from soc.known import rules_in

HELP = "list, show, acknowledge or close alerts (NDJSON)"


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="alerts, nearest deadline first, one JSON object a line")
    # argparse takes "-15m" for an option unless it looks like a negative number to it.
    listing._negative_number_matcher = re.compile(r"-\d+(ms|s|m|h|d|w)?$")
    listing.add_argument("--rule", metavar="RULE", help="only of this rule: its id, or its folder's name in soc_rules")
    listing.add_argument("--since", metavar="TIME", help="raised from then on: -15m, now-1d, 2026-03-01T08:00")
    listing.add_argument("--status", choices=[s.value for s in Status], help="only in this state")
    listing.add_argument("--level", choices=[level.value for level in Level], help="only of this level")
    listing.add_argument("--device", metavar="NAME", help="only of this device")
    listing.add_argument("--site", metavar="NAME", help="only of this site")
    listing.add_argument("--limit", type=int, default=500, help="at most so many (default 500)")
    show = actions.add_parser("show", help="one alert with its events and history")
    show.add_argument("id")
    ack = actions.add_parser("ack", help="acknowledge for a time; then it returns to the queue")
    close = actions.add_parser("close", help="close with what it was")
    for action in (ack, close):
        action.add_argument("id")
        action.add_argument("--reason", required=True, help="at least 10 characters; kept in the history")
        action.add_argument("--by", metavar="WHO", default="", help="who acts (default: this system account)")
    ack.add_argument("--minutes", type=int, default=30, help="how long (default 30, at most 7 days)")
    close.add_argument("--as", dest="resolution", required=True, choices=[r.value for r in Resolution])


def run(args: argparse.Namespace, ctx: Context) -> int:
    store = CaseStore(ctx.data_dir)
    now = datetime.now(UTC)
    match args.action:
        case "list":
            store.return_expired(now)
            HoldKeeper(store, ctx.data_dir).look(now)
            for case in store.list(limit=args.limit, **_filter(args, ctx, now)):
                _print(case)
        case "show":
            history = [
                {"at": e.at.isoformat(), "actor": e.actor, "action": e.action, "reason": e.reason}
                for e in store.history(args.id)
            ]
            print(json.dumps({**document_of(store.get(args.id)), "history": history}, ensure_ascii=False))
        case "ack":
            until = now + timedelta(minutes=args.minutes)
            _print(store.acknowledge(args.id, actor=_actor(args), reason=args.reason, until=until, at=now))
        case "close":
            resolution = Resolution(args.resolution)
            _print(store.close(args.id, actor=_actor(args), resolution=resolution, reason=args.reason, at=now))
    return 0


def _filter(args: argparse.Namespace, ctx: Context, now: datetime) -> Filter:
    wanted: Filter = {}
    if args.rule:
        wanted["rule"] = _ids_of(args.rule)
    if args.since:
        zone = ZoneInfo(ctx.province.time_zone) if args.since[:1].isdigit() else UTC
        wanted["since"] = moment(args.since, now=now, zone=zone)
    if args.status:
        wanted["status"] = [Status(args.status)]
    if args.level:
        wanted["level"] = [Level(args.level)]
    if args.device:
        wanted["device"] = args.device
    if args.site:
        wanted["site"] = args.site
    return wanted


def _ids_of(rule: str) -> tuple[str, ...]:
    """The rule's id as given, and that of the library's folder of this name."""
    named = (id for id, known in rules_in(ROOT / "soc_rules").items() if known.folder.name == rule)
    return (rule, *named)


def _actor(args: argparse.Namespace) -> str:
    """Who acts: as named, else the system account, marked as such (it is not an account of the console)."""
    return args.by or f"{getpass.getuser()}@cli"


def _print(case: Case) -> None:
    print(json.dumps(document_of(case), ensure_ascii=False))
