"""`canh stats`: is every message that arrived accounted for?"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from canh.context import Context
from monitoring.senders import suspicion_of
from monitoring.stats import SOURCE_COUNTS as COLUMNS

if TYPE_CHECKING:
    from monitoring.stats import Balance

HELP = "received = stored + dead-lettered + dropped-and-counted, by source and reason (exit 1 when it does not balance)"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dead", action="store_true", help="list the dead letters instead, as NDJSON")


def run(args: argparse.Namespace, ctx: Context) -> int:
    if args.dead:
        from monitoring.dead import dead_letters

        for letter in dead_letters(ctx.data_dir):
            print(json.dumps(letter, ensure_ascii=False))
        return 0
    from monitoring.stats import balance_of

    balance = balance_of(ctx.data_dir)
    others = {name: _said(ctx.data_dir / "stats" / f"{name}.json") for name in ("detect", "deliver", "scheduled")}
    if ctx.json:
        print(json.dumps(balance.document() | others, ensure_ascii=False))
    else:
        _show(balance)
        for line in (*_detection(others["detect"]), *_delivery(others["deliver"]), *_scheduled(others["scheduled"])):
            print(printable(line))
    return 0 if balance.balances else 1


def _said(path: Path) -> dict[str, Any] | None:
    """What a part of the platform says of itself, None when it never ran."""
    try:
        said = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) else None


# Counters of detection that say something was cut, late or let go: shown when they are not 0.
_LET_GO = {
    "unreadable_events": "events the engine could not read",
    "no_event": "records that gave no event",
    "clock_put_back": "times our clock was put back; what was counted by the wrong one is let go",
    "late": "matches later than the lateness",
    "late_beyond_window": "matches too late for their window",
    "released_early": "matches counted early, the buffer was full",
    "groups_evicted": "groups of correlations let go",
    "entries_evicted": "matches let go from full groups",
    "episodes_evicted": "episodes ended early",
    "episodes_gathered": "matches of rules with hundreds of alerts at once, told as one a site",
    "copies_evicted": "copies of events let go before an alert could keep them",
    "values_cut": "values of one field too many to count each",
    "without_group": "matches without any field of group-by, in no group",
    "without_value": "matches without the value that counts",
    "unjudged": "matches nobody looked at again for what does not follow, too many waited",
}


def _detection(said: Mapping[str, Any] | None) -> Iterator[str]:
    if said is None:
        return
    numbers = f"{said.get('events', 0)} events, {said.get('matches', 0)} matches, {said.get('alerts', 0)} alerts"
    rules = f"{said.get('rules', 0)} rules and {said.get('correlations', 0)} correlations"
    yield f"detection: {numbers}; {rules}; {said.get('octets_behind', 0)} octets behind (as of {said.get('at', '?')})"
    for name in sorted(name for name in said if name in _LET_GO or name.endswith("_evicted")):
        if said[name]:
            yield f"detection: {_LET_GO.get(name, name)}: {said[name]}"
    for refusal in said.get("refused_rules") or ():
        yield f"detection: rule refused: {refusal}"
    if said.get("trouble"):
        yield "detection: " + " ".join(str(said["trouble"]).split())


def _delivery(said: Mapping[str, Any] | None) -> Iterator[str]:
    if said is None:
        return
    for channel, counts in sorted(dict(said.get("channels") or {}).items()):
        yield f"delivery: {channel}: " + ", ".join(f"{n} {state}" for state, n in sorted(counts.items()))
    waits = dict(said.get("waits_because") or {})
    for who, why in sorted((waits | dict(said.get("trouble") or {})).items()):
        yield f"delivery: {who}: {why}"


def _scheduled(said: Mapping[str, Any] | None) -> Iterator[str]:
    for rule in dict((said or {}).get("rules") or {}).values():
        if why := rule.get("error") or rule.get("skipped"):
            yield f"scheduled: {rule.get('title')}: {why}"
        if rule.get("left_out"):
            yield f"scheduled: {rule.get('title')}: {rule['left_out']} counts did not fit"


SUSPICIONS = {
    "nat-or-relay": "several names behind one address: a relay or NAT that is not declared",
    "forged": "the name of another device over UDP: NAT, or forged",
    "other-name": "not the name the inventory has for this address",
    "undeclared": "in no inventory",
}


def _sender_line(peer: str, sender: Mapping[str, Any], suspicion: str) -> str:
    names = ", ".join(f"{name} ({n})" for name, n in sender["names"].items())
    if sender["unnamed"]:
        names += f" and more ({sender['unnamed']})"
    text = f"sender {peer} ({', '.join(sender['receivers'])}): {SUSPICIONS[suspicion]}"
    # A name came from a stranger: nothing of it may reach the terminal but what is printed.
    return text + f"; calls itself {printable(names)}" if names else text


def printable(text: str) -> str:
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _show(balance: Balance) -> None:
    if not balance.sources:
        print("nothing received yet", file=sys.stderr)
    width = max((len(s.source) for s in balance.sources), default=0) + 2
    head = "".join(f"{name.replace('_', ' '):>12}" for name in COLUMNS)
    print(f"{'source':<{width}}{head}{'octets':>14}{'msg/s':>9}  last seen (UTC)")
    for row in balance.sources:
        seen = "-" if row.last_seen is None else f"{row.last_seen:%Y-%m-%d %H:%M:%S}"
        numbers = "".join(f"{getattr(row, name):>12}" for name in COLUMNS)
        print(f"{row.source:<{width}}{numbers}{row.octets:>14}{row.rate_per_s:>9.1f}  {seen}")
    print(f"{'total':<{width}}" + "".join(f"{balance.total(name):>12}" for name in COLUMNS))
    for title, reasons in (("dropped", balance.dropped), ("dead", balance.dead), ("refused", balance.refused)):
        for reason, counts in reasons.items():
            for source, n in counts.items():
                print(f"{title}: {reason}: {source}: {n}")
    for source, n in balance.cut.items():
        print(f"cut: {source}: {n}")
    for peer, sender in balance.senders.items():
        if suspicion := suspicion_of(sender):
            print(_sender_line(peer, sender, suspicion))
    for name, use in balance.spools.items():
        held, budget = use["octets"] / 2**20, use["budget_octets"] / 2**20
        print(f"spool {name}: {held:.1f} MiB of {budget:.0f} MiB")
    if balance.polls:
        print("polls: " + ", ".join(f"{n} {name}" for name, n in balance.polls.items()))
    if balance.damaged_octets or balance.missing_octets:
        print(f"spool: {balance.damaged_octets} octets damaged, {balance.missing_octets} octets missing")
    if balance.trouble:
        print(balance.trouble)
    print("balances" if balance.balances else "DOES NOT BALANCE")
