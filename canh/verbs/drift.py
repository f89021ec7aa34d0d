"""`canh drift`: running against intended."""

from __future__ import annotations

import argparse
import json
import sys

from canh.context import Context
from canh.network_printing import complain, indented_lines, say
from network.operations import drift, work_for

HELP = "running configurations against the inventory; reads devices (and ends an interrupted change first)"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("targets", nargs="*", metavar="SITE|DEVICE", help="all routers when none is named")
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print for programs")


def run(args: argparse.Namespace, ctx: Context) -> int:
    found, errors = drift(work_for(ctx.province, ctx.data_dir, say=say), args.targets)
    complain("drift", errors)
    drifted = [d for d in found if d.is_drifted]
    if ctx.json:
        rows = [{"device": d.device, "drifted": d.is_drifted, "change": d.change} for d in found]
        json.dump({"devices": rows, "errors": [e.what for e in errors]}, sys.stdout, ensure_ascii=False)
        print()
    else:
        for one in drifted:
            print(f"{one.device} is not as the inventory has it; to take it back:")
            platform = ctx.province.devices[one.device].platform.value
            print(*(f"  {line}" for line in indented_lines(one.change, platform)), sep="\n")
        if found:
            print(f"{len(drifted)} of {len(found)} routers differ")
    if errors:
        return 2
    return 1 if drifted else 0
