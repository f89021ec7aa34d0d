"""Routers: intent, rendering, diff, plan, change, journal. No vendor is named outside `platforms/`.

    intent_of ► render ► diff ► plan_of ► carry_out ► journal, backups

`operations` holds the verbs in one call each; what is listed here is what other packages use.
"""

from network.check import Check, Verdict
from network.diff import Difference, diff
from network.intent import Intent, intent_of
from network.operations import Drift, apply_plan, drift, make_plan, push, rollback, work_for
from network.plan import Plan, load_plan, routers
from network.platform import load_platform, platform_names
from network.render import render
from network.tree import parse
from network.work import Outcome, Work

__all__ = [
    "Check",
    "Difference",
    "Drift",
    "Intent",
    "Outcome",
    "Plan",
    "Verdict",
    "Work",
    "apply_plan",
    "diff",
    "drift",
    "intent_of",
    "load_plan",
    "load_platform",
    "make_plan",
    "parse",
    "platform_names",
    "push",
    "render",
    "rollback",
    "routers",
    "work_for",
]
