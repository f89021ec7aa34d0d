"""`canh rules import | sets | remove`: community sets of Sigma rules."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from canh.context import Context
from canh.rules.replay import printable


def arguments(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "take in a community set of Sigma rules, tell what of it cannot run here and what nobody sends"
    sub = verbs.add_parser("import", help=text, description=text)
    sub.add_argument("source", type=Path, metavar="SOURCE", help="a zip, a tar (gz, bz2, xz, zst) or a folder")
    sub.add_argument("--name", metavar="NAME", help="of the set (default: as the file); a set of that name is replaced")
    sub.add_argument("--dry-run", action="store_true", help="tell everything, change nothing")
    text = "the sets that are in place"
    verbs.add_parser("sets", help=text, description=text)
    text = "take a set away"
    sub = verbs.add_parser("remove", help=text, description=text)
    sub.add_argument("name", metavar="NAME", help="of the set")


def run(args: argparse.Namespace, ctx: Context) -> int:
    return {"import": _import, "sets": _sets, "remove": _remove}[args.rules_verb](args, ctx)


def _import(args: argparse.Namespace, ctx: Context) -> int:
    from soc.rulesets import as_text, import_set

    report = import_set(
        args.source,
        name=args.name,
        province=ctx.province,
        province_dir=ctx.province_dir,
        data_dir=ctx.data_dir,
        at=datetime.now(UTC),
        dry_run=args.dry_run,
        say=lambda text: print(f"canh rules: {text}", file=sys.stderr, flush=True),
    )
    if ctx.json:
        print(json.dumps(asdict(report), ensure_ascii=False))
    else:
        for line in as_text(report):
            print(printable(line))
    if args.dry_run:
        print("canh rules: nothing was changed", file=sys.stderr)
    return 0


def _sets(args: argparse.Namespace, ctx: Context) -> int:
    from soc.rulesets import reports

    found = tuple(reports(ctx.data_dir))
    if not found:
        print("canh rules: no set is in place; canh rules import takes one in", file=sys.stderr)
    for report in found:
        by = report.by("outcome")
        if ctx.json:
            said = {"name": report.name, "source": report.source, "imported_at": report.imported_at, **by}
            print(json.dumps({**said, "licences": report.licences}, ensure_ascii=False))
        else:
            counts = f"{by['loaded']:>6,} loaded {by['no-source']:>6,} aside {by['refused']:>5,} refused"
            print(printable(f"{report.name:<24} {report.imported_at:<26} {counts}  from {report.source}"))
    return 0


def _remove(args: argparse.Namespace, ctx: Context) -> int:
    from soc.rulesets import remove

    remove(ctx.data_dir, args.name)
    return 0
