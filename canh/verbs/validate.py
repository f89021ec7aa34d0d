"""`canh validate`: every finding in the inventory at once."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from canh.context import Context
from inventory import Finding, InventoryError, load, remarks, validate, write_allocations

HELP = "check the inventory: every finding at once, with its place and its fix (exit 1 when there are any)"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--allocate", action="store_true", help="first give out the missing addresses and write allocations.yaml"
    )
    parser.add_argument(
        "--release", action="store_true", help="like --allocate, and free the addresses of what is gone"
    )
    parser.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS,
        help="findings as a JSON list: what, where, pointer, fix",
    )


def run(args: argparse.Namespace, ctx: Context) -> int:
    try:
        if args.allocate or args.release:
            given = write_allocations(ctx.province_dir, prune=args.release)
            print(f"{len(given)} given out" if given else "nothing was missing", file=sys.stderr)
        findings = validate(ctx.province_dir)
        if not findings:
            findings = _delivery(ctx.province_dir)
    except InventoryError as error:
        if not error.findings:
            raise
        findings = list(error.findings)
    _print(findings, as_json=args.json)
    _print_remarks(ctx.province_dir)
    if not findings and not args.json:
        province = load(ctx.province_dir)
        print(
            f"{province.title}: {len(province.sites)} sites, {len(province.devices)} devices, no findings",
            file=sys.stderr,
        )
    return 1 if findings else 0


def _delivery(folder: Path) -> list[Finding]:
    """What is wrong with who is told of alerts, which names sites and units."""
    from soc.delivery.reading import FILE, read

    return read(folder, load(folder))[1] if (folder / FILE).exists() else []


def _print_remarks(folder: Path) -> None:
    """To people only: what deserves a look is no fault, and the exit code does not tell it."""
    for remark in remarks(folder, datetime.now(UTC).date()):
        print(f"remark: {remark}", file=sys.stderr)


def _print(findings: list[Finding], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([f.as_json() for f in findings], ensure_ascii=False, indent=1))
        return
    for number, finding in enumerate(findings, 1):
        print(f"{number}. {finding}")
