"""`canh stats`: is every message that arrived accounted for?"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
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
    if ctx.json:
        print(json.dumps(balance.document(), ensure_ascii=False))
    else:
        _show(balance)
    return 0 if balance.balances else 1


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
