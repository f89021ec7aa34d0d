"""`canh links`: how far the links to the state's network were used in the last seven days."""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from canh.context import Context
from monitoring.capacity import LEAST_SAMPLES, LIMIT_PCT, SLOTS

if TYPE_CHECKING:
    from monitoring.capacity import Use
    from monitoring.links import LinkUse

HELP = "95th percentile of 7 days against the contracted rate, per link and direction (exit 1 unless all are within)"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("links", nargs="*", metavar="LINK", help="only these links (default: every uplink of a site)")
    parser.add_argument("--to", dest="end", metavar="TIME", help="end of the seven days (default now): 2026-03-08")


def run(args: argparse.Namespace, ctx: Context) -> int:
    from monitoring.errors import MonitoringError
    from monitoring.links import link_uses, wan_links, window
    from monitoring.query import moment
    from monitoring.store import reader

    known = wan_links(ctx.province)
    unknown = sorted(set(args.links) - set(known))
    if unknown:
        raise MonitoringError(
            f"{unknown[0]!r} is no link between a site and the network",
            where=ctx.province_dir,
            fix=f"one of {', '.join(known)}",
        )
    now = datetime.now(UTC)
    end = now if args.end is None else moment(args.end, now=now, zone=ZoneInfo(ctx.province.time_zone))
    uses = list(link_uses(ctx.province, reader(ctx.data_dir), end, args.links or known))
    start, last = window(end)
    if ctx.json:
        document = {"from": start.isoformat(), "to": last.isoformat(), "links": [use.document() for use in uses]}
        print(json.dumps(document, ensure_ascii=False))
    else:
        _show(
            uses, start.astimezone(ZoneInfo(ctx.province.time_zone)), last.astimezone(ZoneInfo(ctx.province.time_zone))
        )
    return 0 if all(use.is_within for use in uses) else 1


def _show(uses: list[LinkUse], start: datetime, end: datetime) -> None:
    print(
        f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}: 95th percentile of 5-minute samples, limit {LIMIT_PCT:.0f} %"
    )
    width = max((len(use.link.name) for use in uses), default=4) + 2
    print(f"{'link':<{width}}{'site':<10}{'contract':>13}  {'into the site':<26}{'out of the site':<26}verdict")
    for use in uses:
        into, out = _words(use.into_site), _words(use.out_of_site)
        pause = f", paused {use.paused}" if use.paused else ""
        name, contract = f"{use.link.name:<{width}}", f"{_rate(use.link.bandwidth_bps):>13}"
        print(f"{name}{use.site:<10}{contract}  {into:<26}{out:<26}{_verdict(use)}{pause}")


def _words(use: Use) -> str:
    if use.p95_bps is None or use.p95_pct is None:
        return f"{use.samples} of {SLOTS} samples"
    return f"{_rate(use.p95_bps)}, {use.p95_pct:.1f} %"


def _verdict(use: LinkUse) -> str:
    if use.is_within:
        return "within"
    if "over" in (use.into_site.judgement, use.out_of_site.judgement):
        return "OVER"
    return f"no verdict: fewer than {LEAST_SAMPLES} samples"


def _rate(bps: float) -> str:
    return f"{bps / 1_000_000:.1f} Mbit/s" if bps < 1_000_000_000 else f"{bps / 1_000_000_000:.1f} Gbit/s"
