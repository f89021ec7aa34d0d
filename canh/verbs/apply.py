"""`canh apply`: carry a plan out."""

from __future__ import annotations

import argparse
import re
import sys

from canh.context import Context
from canh.network_checks import checks_of
from canh.network_printing import complain, print_outcome, print_plan, say
from network.errors import NetworkError
from network.operations import apply_plan, make_plan, work_for
from network.plan import Plan, load_plan
from network.work import Work

HELP = "change devices: backed up, journalled, in waves, verified, reverted by itself when it does not verify"

PLAN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f-]*)?")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("targets", nargs="+", metavar="PLAN_ID|SITE|DEVICE", help="one plan, or sites and devices")
    parser.add_argument("--wave", type=int, metavar="N", help="at most N devices in a wave (with sites and devices)")
    parser.add_argument("--yes", action="store_true", help="do not ask (a plan id was reviewed and is not asked about)")
    parser.add_argument("--dry-run", action="store_true", help="show the plan, touch nothing")


def run(args: argparse.Namespace, ctx: Context) -> int:
    work = work_for(ctx.province, ctx.data_dir, checks=checks_of(ctx.province, ctx.data_dir), say=say)
    plan = _plan(args, ctx, work)
    if plan.devices and (args.dry_run or not args.yes):
        print_plan(plan)
    if args.dry_run:
        return 1 if plan.devices else 0
    if plan.devices and not (args.yes or _is_plan_id(args) or _is_agreed()):
        print("nothing was sent", file=sys.stderr)
        return 2
    outcome = apply_plan(work, plan)
    print_outcome(outcome)
    return 0 if outcome.ok else 2


def _plan(args: argparse.Namespace, ctx: Context, work: Work) -> Plan:
    if _is_plan_id(args):
        return load_plan(ctx.data_dir, args.targets[0])
    plan, survey = make_plan(work, args.targets, wave_size=args.wave)
    complain("apply", survey.errors[1:])
    for error in survey.errors:
        raise error
    return plan


def _is_plan_id(args: argparse.Namespace) -> bool:
    return len(args.targets) == 1 and PLAN_ID.fullmatch(args.targets[0]) is not None


def _is_agreed() -> bool:
    """Whether somebody at a terminal says so."""
    if not sys.stdin.isatty():
        raise NetworkError(
            "nobody is there to agree", fix="add --yes, or apply a plan id: canh plan, canh apply PLAN_ID"
        )
    return input("apply? [y/N] ").strip().lower() in ("y", "yes", "c", "có")
