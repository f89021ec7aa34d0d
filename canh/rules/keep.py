"""`canh rules filter | add`: what changes detection is replayed over the stored days, shown, and then saved."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from canh.context import Context
from canh.rules.replay import add_past, documents_in, library_of, replayed, tell, tell_refused

if TYPE_CHECKING:
    from soc.rulesets import Draft, Library, Plan


def arguments(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "except events from rules, or switch rules off: a reason, a name, and a last day"
    sub = verbs.add_parser("filter", help=text, description=text)
    sub.add_argument("rules", nargs="+", metavar="RULE", help="by id, name, title or folder")
    text = "events with this value are silenced; FIELD may have modifiers (source.ip|cidr=10.9.0.0/24); all must hold"
    sub.add_argument("--where", action="append", default=[], metavar="FIELD=VALUE", help=text)
    sub.add_argument("--disable", action="store_true", help="switch the rules off")
    sub.add_argument("--reason", required=True, metavar="TEXT", help="why, for whoever reads it in a year")
    text = "the last day it applies, at most a year ahead"
    sub.add_argument("--expires", required=True, metavar="DATE", help=text)
    sub.add_argument("--author", metavar="NAME", help="who decides it (default: who you are logged in as)")
    _saving(sub)
    text = "replay a rule (a file, or the folder of one) over the stored days, then take it into the province's own"
    sub = verbs.add_parser("add", help=text, description=text)
    sub.add_argument("source", type=Path, metavar="FILE_OR_FOLDER")
    text = "where it goes below the province's rules"
    sub.add_argument("--as", dest="place", required=True, metavar="PRODUCT/NAME", help=text)
    _saving(sub)


def _saving(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--yes", action="store_true", help="save without asking")
    sub.add_argument("--no-replay", action="store_true", help="do not look at the stored days first")
    add_past(sub)


def run(args: argparse.Namespace, ctx: Context) -> int:
    return {"filter": _filter, "add": _add}[args.rules_verb](args, ctx)


def _filter(args: argparse.Namespace, ctx: Context) -> int:
    from soc.rulesets import KeepError, draft, keep_filter

    if bool(args.where) == args.disable:
        raise KeepError("it must be said what is silenced", fix="give --where FIELD=VALUE, or --disable")
    library = library_of(ctx)
    drafted = draft(
        [library.named(name) for name in args.rules],
        args.where,
        everything=library.rules,
        reason=args.reason,
        author=args.author or os.environ.get("SUDO_USER") or getpass.getuser(),
        expires=args.expires,
        today=datetime.now(UTC).date(),
    )
    print(drafted.text, file=sys.stderr)
    _show(_plan_of(drafted, library), ctx, args)
    if not _agreed(args):
        return 1
    print(f"canh rules: saved to {keep_filter(drafted, ctx.province_dir)}", file=sys.stderr)
    return 0


def _plan_of(drafted: Draft, library: Library) -> Plan:
    """What the filter changes. Raises KeepError for one that cannot be used."""
    from soc.rulesets import KeepError
    from soc.sigma.errors import RuleError

    with tempfile.TemporaryDirectory(prefix="canh-filter-") as place:
        file = Path(place) / "filter.yml"
        file.write_text(drafted.text, "utf-8")
        try:
            plan = library.with_files([file])
        except RuleError as error:  # where it stands for now says nothing
            raise KeepError(error.what.replace(f"{place}/", ""), fix="say it in other words with --where") from error
    return plan


def _add(args: argparse.Namespace, ctx: Context) -> int:
    from soc.rulesets import keep_rule

    library = library_of(ctx)
    plan = library.with_files(documents_in(args.source))
    tell_refused(plan)
    _show(plan, ctx, args)
    if not _agreed(args):
        return 1
    folder = keep_rule(args.source, args.place, ctx.province_dir)
    print(f"canh rules: saved to {folder}; canh rules check {folder.name} tells what it lacks", file=sys.stderr)
    return 0


def _show(plan: Plan, ctx: Context, args: argparse.Namespace) -> None:
    """What the change would have done. Raises StoreError."""
    from monitoring.errors import StoreError

    if args.no_replay:
        return
    try:
        tell(replayed(plan, ctx, args), plan, ctx)
    except StoreError as error:
        fix = f"{error.fix}; or save it without looking: --no-replay".removeprefix("; or ")
        raise StoreError(error.what, where=error.where, fix=fix) from error


def _agreed(args: argparse.Namespace) -> bool:
    if args.yes:
        return True
    if not sys.stdin.isatty():
        from soc.rulesets import KeepError

        raise KeepError("nobody is there to be asked, so nothing was saved", fix="give --yes")
    print("Save it? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes", "c", "có")
