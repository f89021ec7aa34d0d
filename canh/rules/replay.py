"""`canh rules replay`: what rules would have raised over stored days, and what a change to them does."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from canh.context import Context
from canh.moments import add_span, moment_of
from canh.rules.asked import TELL_EVERY_S, add_minutes, asked_again, unsaid

if TYPE_CHECKING:
    from monitoring.store import EventStore
    from soc.rulesets import Effect, Library, Plan

SLICE = timedelta(hours=6)  # after each of them progress can be told
DAYS = 14  # without --from and --days
MOST_DAYS = 366
RULE_FILES = (".yml", ".yaml")
_MOST_LISTED = 12


def arguments(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "what rules would have raised over stored days, or what a new rule or filter would add and silence"
    sub = verbs.add_parser("replay", help=text, description=text)
    text = (
        "a rule by id, name, title or folder; or a file (or folder) of a rule or filter not yet in use (default: all)"
    )
    sub.add_argument("what", nargs="*", metavar="RULE_OR_FILE", help=text)
    text = "a filter not yet in use; may be repeated"
    sub.add_argument("--filter", type=Path, action="append", default=[], metavar="FILE", help=text)
    add_past(sub)


def add_past(parser: argparse.ArgumentParser) -> None:
    """How much of the past is looked at."""
    add_span(parser)
    text = f"the last days that are stored (default {DAYS})"
    parser.add_argument("--days", type=_days, metavar="N", help=text)
    add_minutes(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")


def _days(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MOST_DAYS:
        raise argparse.ArgumentTypeError(f"1 to {MOST_DAYS} days, not {text!r}")
    return int(text)


def run(args: argparse.Namespace, ctx: Context) -> int:
    library = library_of(ctx)
    files = [file for name in args.what if _is_path(name) for file in documents_in(Path(name))]
    names = [name for name in args.what if not _is_path(name)]
    files += [file for path in args.filter for file in documents_in(path)]
    if files and names:
        from soc.sigma.errors import RuleError

        raise RuleError("rules in use and files are not replayed together", fix="replay the files, then the rules")
    plan = library.with_files(files) if files else library.as_it_is([library.named(name) for name in names])
    tell_refused(plan)
    tell(replayed(plan, ctx, args), plan, ctx)
    return 0


def library_of(ctx: Context) -> Library:
    """All that detection loads."""
    from soc import placeholders
    from soc.policy import documents
    from soc.rulesets import Library, ScheduledRules, folders, libraries
    from soc.sigma import cache, load

    values = placeholders.of(ctx.province)
    generated = tuple((rule.path, rule.text) for rule in documents(ctx.province))
    places = folders(ctx.province_dir, ctx.data_dir)
    rules = load(places, values, generated=generated, cached_in=cache.folder())
    scheduled = ScheduledRules.of(libraries(ctx.province_dir), values, datetime.now(UTC).date())
    return Library(rules=rules, placeholders=values, generated=generated, scheduled=scheduled)


def _is_path(name: str) -> bool:
    """Whether a file or folder is meant and no rule."""
    return Path(name).exists() or "/" in name or name.endswith(RULE_FILES)


def documents_in(place: Path) -> list[Path]:
    """The rule files of a file or folder. Raises RuleError when there is none."""
    from soc.sigma.errors import RuleError

    if place.is_file() and place.suffix in RULE_FILES:
        return [place]
    if place.is_file():
        raise RuleError("it is no rule file (*.yml)", where=place, fix="unpack an archive, and name the folder")
    if not place.is_dir():
        raise RuleError("there is no such file or folder", where=place, fix="name a rule file, or the folder of one")
    if not (found := _documents_below(place)):
        raise RuleError("no rule file (*.yml) is in it", where=place, fix="name a rule file, or the folder of one")
    return found


def _documents_below(place: Path) -> list[Path]:
    return sorted(p for p in place.rglob("*.y*ml") if p.suffix in RULE_FILES and "tests" not in p.parts)


def replayed(plan: Plan, ctx: Context, args: argparse.Namespace) -> tuple[Effect, ...]:
    """Go through the store, oldest first; progress and what was let go of on standard error. Raises StoreError."""
    from monitoring.store import reader
    from soc.sigma.errors import RuleError

    if args.days and args.start:
        raise RuleError("--days and --from are two ways to say the same", fix="give one of them")
    store = reader(ctx.data_dir)
    there = store.span()
    if there is None:
        print("canh rules: the store is empty: nothing can be said of the past", file=sys.stderr)
        return ()
    last = there[1] + timedelta(microseconds=1)
    low = moment_of(args.start, ctx) or last - timedelta(days=args.days or DAYS)
    high = min(moment_of(args.end, ctx) or last, last)
    if low >= high or high <= there[0]:
        span = f"{there[0]:%Y-%m-%d %H:%M}Z to {there[1]:%Y-%m-%d %H:%M}Z"
        print(f"canh rules: nothing is stored of that time, only of {span}", file=sys.stderr)
        return ()
    if (args.start or args.days) and low < there[0]:
        print(
            f"canh rules: the store begins at {there[0]:%Y-%m-%d %H:%M}Z: of before, nothing is known", file=sys.stderr
        )
    effects = _streamed(plan, ctx, store, max(low, there[0]), high, quiet=args.quiet) if plan.told else ()
    if not plan.asked:
        return effects
    return (*effects, *asked_again(plan, store, low, high, minutes=args.minutes, quiet=args.quiet))


def _streamed(
    plan: Plan, ctx: Context, store: EventStore, low: datetime, high: datetime, *, quiet: bool
) -> tuple[Effect, ...]:
    """The effect on each of the stream's rules."""
    from soc.placeholders import lateness_of
    from soc.rulesets import Replay

    replay = Replay(plan, lateness_of(ctx.province))
    began = told = time.monotonic()
    query = plan.reach
    for begin, until in _slices(low, high):
        replay.take(store.scan(query, begin, until, oldest_first=True))
        if not quiet and time.monotonic() - told >= TELL_EVERY_S:
            told = time.monotonic()
            share = (until - low) / (high - low)
            print(f"canh rules: {until:%Y-%m-%d %H:%M}Z, {share:.0%}, {replay.events:,} events", file=sys.stderr)
    effects = replay.effects()
    took = max(time.monotonic() - began, 0.001)
    if not quiet:
        rate = f"{replay.events / took:,.0f} a second"
        span = f"{low:%Y-%m-%d %H:%M}Z to {high:%Y-%m-%d %H:%M}Z"
        print(f"canh rules: {replay.events:,} events, {span}, in {took:.1f} s, {rate}", file=sys.stderr)
    for reason, number in replay.counters.items():
        print(
            f"canh rules: {number} {reason.replace('_', ' ')}: counts are too low by what that hides", file=sys.stderr
        )
    return effects


def tell_refused(plan: Plan) -> None:
    """What of the new documents cannot be used."""
    for refusal in plan.refused:
        print(printable(f"refused: {refusal}"), file=sys.stderr)


def tell(effects: Iterable[Effect], plan: Plan, ctx: Context) -> None:
    """The result on standard output, one JSON object a rule or text."""
    if ctx.json:
        for effect in effects:
            print(json.dumps(effect.said(), ensure_ascii=False))
        return
    for line in as_text(effects, is_change=plan.is_change):
        print(printable(line))


def as_text(effects: Iterable[Effect], *, is_change: bool) -> Iterator[str]:
    """A paragraph for each rule that raises anything."""
    quiet = 0
    for effect in effects:
        missing = list(unsaid(effect))
        if effect.alerts == [0, 0] and not missing:
            quiet += 1
            continue
        yield f"{effect.rule.title} ({effect.rule.level}): {_change(effect.alerts, is_change)} alerts"
        if is_change:
            yield f"    {effect.silenced} silenced, {effect.added} new; events {_change(effect.events, True)}"
        yield from (f"    {line}" for line in missing)
        if effect.alerts == [0, 0]:
            continue
        yield from _listed("day", effect.by_day, is_change)
        yield from _listed("device", effect.by_device, is_change)
        yield from _samples("silenced", effect.silenced_samples)
        yield from _samples("new" if is_change else "sample", effect.added_samples)
    if quiet:
        yield f"{quiet} rules raise nothing" + (", before or after" if is_change else "")


def printable(text: str) -> str:
    """Text from logs without what a terminal would obey."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _listed(name: str, pairs: dict[str, list[int]], is_change: bool) -> Iterator[str]:
    told = [f"{key} {_change(pair, is_change)}" for key, pair in sorted(pairs.items())]
    rest = f", and {len(told) - _MOST_LISTED} more" if len(told) > _MOST_LISTED else ""
    yield f"    by {name}: " + ", ".join(told[:_MOST_LISTED]) + rest


def _samples(word: str, samples: list[dict[str, Any]]) -> Iterator[str]:
    for one in samples:
        group = " ".join(f"{name}={value}" for name, value in one["group"].items())
        when = one["first"] + (f", raised {one['raised']}," if "raised" in one else "")
        yield f"    {word}: {when} {one['device']} {group} ({one['events']} events)"


def _change(pair: list[int], is_change: bool) -> str:
    return f"{pair[0]:,} -> {pair[1]:,}" if is_change else f"{pair[1]:,}"


def _slices(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    while start < end:
        yield start, min(start + SLICE, end)
        start += SLICE
