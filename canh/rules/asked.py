"""Scheduled rules over stored days, for `canh rules replay | filter | add`: asked again, and told of."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from monitoring.store import EventStore
    from soc.rulesets import Effect, Pair, Plan

MINUTES = 10  # for all scheduled rules together
TELL_EVERY_S = 2.0


def add_minutes(parser: argparse.ArgumentParser) -> None:
    """`--minutes`."""
    text = f"how long scheduled rules may be asked; what they do not come to is told (default {MINUTES})"
    parser.add_argument("--minutes", type=_minutes, default=MINUTES, metavar="N", help=text)


def _minutes(text: str) -> float:
    try:
        minutes = float(text)
    except ValueError:
        minutes = -1.0
    if not 0 < minutes < float("inf"):
        raise argparse.ArgumentTypeError(f"minutes, more than none, not {text!r}")
    return minutes


def asked_again(
    plan: Plan, store: EventStore, start: datetime, end: datetime, *, minutes: float, quiet: bool
) -> Iterator[Effect]:
    """The effect on each scheduled rule of the plan; progress and what was let go of on standard error."""
    from soc.rulesets import retold

    began = told = time.monotonic()
    looks = 0

    def passed(pair: Pair, at: datetime) -> None:
        nonlocal told, looks
        looks += 1
        if not quiet and time.monotonic() - told >= TELL_EVERY_S:
            told = time.monotonic()
            share = max(0.0, (at - start) / (end - start))
            print(f"canh rules: {pair.rule.title}: {at:%Y-%m-%d %H:%M}Z, {share:.0%}", file=sys.stderr)

    def is_late(number: int) -> bool:
        """Each may take as long as if all took the same; what one leaves is there for the next."""
        return time.monotonic() - began >= minutes * 60 * (number + 1) / len(plan.asked)

    for effect in retold(plan.asked, store, start, end, passed=passed, is_late=is_late):
        yield effect
        if effect.asked and effect.asked.left_out:
            what = f"{effect.rule.title}: {effect.asked.left_out:,} counts and alerts had no room"
            print(f"canh rules: {what}: figures are too low by what that hides", file=sys.stderr)
    if not quiet:
        took = time.monotonic() - began
        span = f"{start:%Y-%m-%d %H:%M}Z to {end:%Y-%m-%d %H:%M}Z"
        print(f"canh rules: scheduled rules asked {looks:,} times, {span}, in {took:.1f} s", file=sys.stderr)


def unsaid(effect: Effect) -> Iterator[str]:
    """What cannot be said of a scheduled rule, by reason and days; nothing of the stream's."""
    from soc.scheduled.past import Sight

    if effect.asked is None:
        return
    since = effect.asked.begin
    stored = "no event of it is stored" if since is None else f"events of it are stored since {since:%Y-%m-%d %H:%M}Z"
    reasons = {
        Sight.YOUNG: f"unknown: {stored}" + (", too late to judge" if since else ""),
        Sight.BEHIND: "unknown: nothing reached the store in the minutes before it was due",
        Sight.NOT_ASKED: "unknown: not asked, there was no time (--minutes), or it is due too often for so many days",
        Sight.SHORT: f"judged by less than it looks back at: {stored}",
    }
    for sight, why in reasons.items():
        found = {day: (looks[sight], looks.total()) for day, looks in effect.asked.by_day.items() if sight in looks}
        if found:
            yield f"{why}: {', '.join(_days(found))}"


def _days(found: dict[str, tuple[int, int]]) -> Iterable[str]:
    """Days, those that follow each other together; with how many looks of how many where it is not all of a day."""
    runs: list[list[str]] = []
    for day, (some, every) in sorted(found.items()):
        is_next = bool(runs) and date.fromisoformat(day) - date.fromisoformat(runs[-1][1]) == timedelta(days=1)
        if some == every and is_next and runs[-1][2] == "":
            runs[-1][1] = day
        else:
            runs.append([day, day, "" if some == every else f" ({some} of {every} times)"])
    return [f"{first}{part}" if first == last else f"{first} to {last}" for first, last, part in runs]
