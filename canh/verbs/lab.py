"""A lab from the inventory: machines and links up, down, status. One function a sub-verb, in a table."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from canh.context import Context

if TYPE_CHECKING:
    from infra.lab import LabFolder

ROOT = Path(__file__).resolve().parents[2]
HELP = "make a lab of the inventory's machines and links on this machine, show it, take it down (root)"
TRY_NEXT = """Try next:
  .venv/bin/canh lab scenario ssh-bruteforce    attack the lab for real and wait for the alert
  .venv/bin/canh alerts list                    what detection raised; the console shows the same
  .venv/bin/canh audit run                      probe the controls on the running machines
Follow it: canh lab status, make logs. Take it away: make down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubVerb:
    help: str
    run: Callable[[argparse.Namespace, Context], int]
    arguments: Callable[[argparse.ArgumentParser], None] = lambda parser: None


def arguments(parser: argparse.ArgumentParser) -> None:
    subs = parser.add_subparsers(dest="sub", required=True, metavar="up|down|status|...")
    for name, sub in SUB_VERBS.items():
        sub.arguments(subs.add_parser(name, help=sub.help, description=sub.help))


def run(args: argparse.Namespace, ctx: Context) -> int:
    return SUB_VERBS[args.sub].run(args, ctx)


def up(args: argparse.Namespace, ctx: Context) -> int:
    from canh.lab_steps import STEPS
    from infra import lab

    folder = _folder(ctx)
    say = _Teller().say
    lab.up(folder, ctx.province, say)
    told: list[str] = []
    for step in () if args.machines_only else STEPS:
        start = time.monotonic()
        say(f"{step.title} ...")
        told += step.run(ctx, say)
        say(f"{step.title}: {time.monotonic() - start:.1f} s")
    say(f"lab {folder.lab} is up")
    if ctx.json:
        print(json.dumps({"lab": folder.lab, "console": lab.console_of(folder)}))
        print(*told, sep="\n", file=sys.stderr)  # a first password must not be lost
    else:
        print("", *told, "", TRY_NEXT, sep="\n")
    return 0


def down(args: argparse.Namespace, ctx: Context) -> int:
    from infra import lab

    folder = _folder(ctx)
    teller = _Teller()
    lab.down(folder, teller.say)
    teller.say(f"lab {folder.lab} is down")
    return 0


def status(args: argparse.Namespace, ctx: Context) -> int:
    """0 when every machine is whole, 1 when one is not or there is no lab."""
    from infra import lab

    folder = _folder(ctx)
    machines = lab.status(folder, ctx.province)
    console = lab.console_of(folder)
    rows = [
        {
            "device": state.device,
            "state": "running" if state.is_whole else "broken" if state.init_pid or state.is_mounted else "absent",
            "management_address": str(address),
            "uptime_s": None if state.uptime_s is None else round(state.uptime_s, 1),
            "memory_octets": state.memory_octets,
        }
        for state, address in machines
    ]
    if ctx.json:
        print(json.dumps({"id": folder.lab, "console": console, "machines": rows}))
    else:
        _print_table(rows, console)
    return 0 if all(state.is_whole for state, _ in machines) else 1


def pulumi(args: argparse.Namespace, ctx: Context) -> int:
    """Pass through to the engine, in the environment in which it finds the lab's state and our plugin."""
    stack = _folder(ctx).stack(_Teller().say)
    words = [word for word in args.words if word != "--"]
    os.environ.update(stack.env())
    return subprocess.run(
        [str(stack.tools / "pulumi"), *words, *stack.options()], cwd=stack.project_dir, check=False
    ).returncode


def scenario(args: argparse.Namespace, ctx: Context) -> int:
    """0 with the alert that came, 1 when none came in time."""
    from canh.machines import Machines
    from canh.scenarios import SCENARIOS, Lab, carry_out, raised_since, rule_id_of
    from infra.names import lab_id

    chosen = SCENARIOS[args.name]
    say = _Teller().say
    say(f"{chosen.says}; waiting for the alert, {args.within:.0f} s at most")
    lab = Lab(province=ctx.province, machines=Machines(data_dir=ctx.data_dir), lab_id=lab_id())
    outcome = carry_out(chosen, lab, raised_since(ctx.data_dir), rule_id_of(ROOT / "soc_rules"), within_s=args.within)
    if outcome is None:
        say(f"no alert came within {args.within:.0f} s; see: canh stats, canh alerts list, make logs")
        return 1
    print(json.dumps({"scenario": outcome.scenario, "alert_id": outcome.alert_id, "seconds": outcome.seconds}))
    return 0


def _scenario_arguments(parser: argparse.ArgumentParser) -> None:
    from canh.scenarios import SCENARIOS

    parser.add_argument("name", choices=list(SCENARIOS), help="what to do to the lab, for real")
    parser.add_argument("--within", type=float, default=60.0, metavar="S", help="seconds to wait for the alert (60)")


def _up_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--machines-only", action="store_true", help="machines and links; configure nothing, start no platform"
    )


def _pulumi_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs=argparse.REMAINDER, help="after --: preview, refresh --preview-only ...")


SUB_VERBS: dict[str, SubVerb] = {
    "up": SubVerb(help="make the lab, or repair what is missing of it", run=up, arguments=_up_arguments),
    "down": SubVerb(help="take everything of the lab away", run=down),
    "status": SubVerb(help="each machine: state, address, uptime, memory", run=status),
    "scenario": SubVerb(
        help="do something real to the lab (touches machines, then undoes it) and wait for its alert",
        run=scenario,
        arguments=_scenario_arguments,
    ),
    "pulumi": SubVerb(help="run pulumi on the lab's stack", run=pulumi, arguments=_pulumi_arguments),
}


class _Teller:
    """Progress on stderr, with the seconds since the command began."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def say(self, text: str) -> None:
        print(f"[{time.monotonic() - self._start:5.1f} s] {text}", file=sys.stderr, flush=True)


def _folder(ctx: Context) -> LabFolder:
    from infra.lab import LabFolder
    from infra.names import lab_id

    return LabFolder(lab=lab_id(), province_dir=ctx.province_dir, data_dir=ctx.data_dir)


def _print_table(rows: Sequence[Mapping[str, object]], console: str | None) -> None:
    for row in rows:
        memory, uptime = row["memory_octets"], row["uptime_s"]
        memory_text = f"{memory / 2**20:.0f} MiB" if isinstance(memory, int) else "-"
        uptime_text = f"{uptime:.0f} s" if isinstance(uptime, float) else "-"
        print(
            f"{row['device']:<12} {row['state']:<8} {row['management_address']:<15} {uptime_text:>8} {memory_text:>8}"
        )
    print(f"console: {console or 'not up'}")
