"""`canh users`: accounts of the console."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime

from canh import audit
from canh.context import Context
from soc.users import Role, UserStore

HELP = "accounts of the console: add, list, reset, bootstrap"


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    add = actions.add_parser("add", help="make an account and print its password once")
    add.add_argument("name")
    add.add_argument("--role", required=True, choices=[role.value for role in Role])
    add.add_argument("--full-name", default="", help="as colleagues know them")
    actions.add_parser("list", help="who has an account")
    reset = actions.add_parser("reset", help="a new password, printed once; unlocks and ends all sessions")
    reset.add_argument("name")
    actions.add_parser(
        "bootstrap",
        help="make the first accounts that are missing; print their passwords once, nothing on a second call",
    )


def run(args: argparse.Namespace, ctx: Context) -> int:
    store, now = UserStore(ctx.data_dir), datetime.now(UTC)
    match args.action:
        case "add":
            name, role = args.name, Role(args.role)
            _passwords({name: store.add(name, role, at=now, full_name=args.full_name)}, ctx)
            audit.say("user-added", account=name, role=role.value)
        case "reset":
            _passwords({args.name: store.reset(args.name)}, ctx)
            audit.say("user-reset", account=args.name)
        case "bootstrap":
            made = store.bootstrap(now)
            _passwords(made, ctx)
            if not made:
                print("every first account is already there", file=sys.stderr)
        case "list":
            for user in store.list():
                state = "disabled" if user.disabled else "locked" if (user.locked_until or now) > now else "active"
                if ctx.json:
                    print(json.dumps({"name": user.name, "role": user.role.value, "state": state}))
                else:
                    print(f"{user.name:<16} {user.role.value:<10} {state:<9} {user.full_name}")
    return 0


def _passwords(made: dict[str, str], ctx: Context) -> None:
    """Print passwords; this is the only time they exist outside somebody's head."""
    for name, password in made.items():
        print(json.dumps({"name": name, "password": password}) if ctx.json else f"{name:<10} {password}")
