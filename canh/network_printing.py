"""How the network verbs print: plans and drift for people, progress and errors on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from inventory.errors import OpsError
from network.plan import DevicePlan, Plan
from network.platform import load_platform
from network.topology import BlastRadius
from network.work import Outcome


def say(text: str) -> None:
    """Progress, for whoever watches."""
    print(text, file=sys.stderr, flush=True)


def complain(verb: str, errors: Iterable[OpsError]) -> None:
    for error in errors:
        print(f"canh {verb}: {error}", file=sys.stderr)


def print_plan(plan: Plan) -> None:
    for device in plan.devices:
        print(f"{device.device} ({device.site}), {_radius(device.blast_radius)}")
        print(*(f"  {line}" for line in indented(device)), sep="\n")
    print(f"plan {plan.plan_id}: {len(plan.devices)} devices, {_radius(plan.blast_radius)} if all of them fail")
    for number, wave in enumerate(plan.waves, start=1):
        print(f"  wave {number}: {', '.join(wave)}")


def print_outcome(outcome: Outcome) -> None:
    """The end of a change, in one line on stdout."""
    if outcome.result == "nothing":
        print("nothing to change")
    else:
        why = f": {outcome.reason}" if outcome.reason else ""
        print(f"change {outcome.change_id} {outcome.result} on {', '.join(outcome.devices)}{why}")


def indented(device: DevicePlan) -> list[str]:
    """The change as typed, indented by section for the eye."""
    return indented_lines(device.change, device.platform)


def indented_lines(lines: Iterable[str], platform_name: str) -> list[str]:
    platform = load_platform(platform_name)
    shown, depth = [], 0
    for line in lines:
        is_closer = line in platform.closers
        shown.append(" " * (depth - is_closer) + line)
        depth += -1 if is_closer else 1 if platform.section(line) else 0
    return shown


def _radius(radius: BlastRadius) -> str:
    if not radius.devices:
        return "nothing else is cut off"
    return f"cuts off {', '.join(radius.devices)} (sites {', '.join(radius.sites)})"
