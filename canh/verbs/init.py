"""`canh init`: a small valid province to start from."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from canh.cli import ROOT
from canh.context import Context
from inventory.init import write_skeleton

HELP = "write a small valid province to start from"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("slug", metavar="SLUG", help="the province's short name, like thanh-hoa")
    parser.add_argument("folder", metavar="DIR", nargs="?", type=Path, help="default inventory/provinces/SLUG")


def run(args: argparse.Namespace, ctx: Context) -> int:
    folder: Path = args.folder or ROOT / "inventory/provinces" / args.slug
    for path in write_skeleton(args.slug, folder):
        print(path)
    print(f"next: edit these, then canh --province {folder} validate", file=sys.stderr)
    return 0
