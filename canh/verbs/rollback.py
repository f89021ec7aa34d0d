"""`canh rollback`: take a confirmed change back."""

from __future__ import annotations

import argparse

from canh.context import Context
from canh.network_checks import checks_of
from canh.network_printing import print_outcome, print_plan, say
from network.operations import rollback, rollback_plan, work_for

HELP = "change devices back to their backups from before a change, as a change of its own"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("change_id", metavar="CHANGE_ID", help="or its first characters")
    parser.add_argument("--dry-run", action="store_true", help="show what would be sent, touch nothing")


def run(args: argparse.Namespace, ctx: Context) -> int:
    work = work_for(ctx.province, ctx.data_dir, checks=checks_of(ctx.province, ctx.data_dir), say=say)
    if args.dry_run:
        plan, _ = rollback_plan(work, args.change_id)
        print_plan(plan)
        return 1 if plan.devices else 0
    outcome = rollback(work, args.change_id)
    print_outcome(outcome)
    return 0 if outcome.ok else 2
