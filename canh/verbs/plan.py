"""`canh plan`: what would change on which router."""

from __future__ import annotations

import argparse

from canh.context import Context
from canh.network_printing import complain, print_plan, say
from network.operations import make_plan, work_for

HELP = "what would change, per device, with blast radius; reads devices (and ends an interrupted change first)"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("targets", nargs="*", metavar="SITE|DEVICE", help="all routers when none is named")
    parser.add_argument("--wave", type=int, metavar="N", help="at most N devices in a wave")
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print for programs")


def run(args: argparse.Namespace, ctx: Context) -> int:
    work = work_for(ctx.province, ctx.data_dir, say=say)
    plan, survey = make_plan(work, args.targets, wave_size=args.wave)
    complain("plan", survey.errors)
    if ctx.json:
        print(plan.as_json())
    elif plan.devices:
        print_plan(plan)
    elif survey.readings:
        print(f"nothing to change on {len(survey.readings)} routers")
    if survey.errors:
        return 2
    return 1 if plan.devices else 0
