"""Which rules a province runs: those shipped, its own, and the community sets it imported.

    soc_rules/                    shipped
    <province>/rules/             the province's own, in folders as in soc_rules; filters/*.yml
    <data>/rules/<set>/           imported: rules/ is loaded, no-source/ kept aside, report.json, licences

Right of `soc.sigma`, which knows folders of rules and nothing of where they come from.
"""

from soc.rulesets._asked import Pair, ScheduledRules, retold
from soc.rulesets._coverage import Coverage, coverage
from soc.rulesets._effect import Asked, Effect
from soc.rulesets._folders import SETS, folders, libraries
from soc.rulesets._keep import Draft, draft, keep_filter, keep_rule
from soc.rulesets._page import page
from soc.rulesets._plan import Library, Plan
from soc.rulesets._replay import Replay
from soc.rulesets._report import Report, Taken, as_text
from soc.rulesets._sets import import_set, remove, reports, sources_here
from soc.rulesets._sources import Sight, Sources
from soc.rulesets._whole import REGISTER, Findings, findings, registered
from soc.rulesets.errors import KeepError, RuleError

__all__ = [
    "REGISTER",
    "SETS",
    "Asked",
    "Coverage",
    "Draft",
    "Effect",
    "Findings",
    "KeepError",
    "Library",
    "Pair",
    "Plan",
    "Replay",
    "Report",
    "RuleError",
    "ScheduledRules",
    "Sight",
    "Sources",
    "Taken",
    "as_text",
    "coverage",
    "draft",
    "findings",
    "folders",
    "import_set",
    "keep_filter",
    "keep_rule",
    "libraries",
    "page",
    "registered",
    "remove",
    "reports",
    "retold",
    "sources_here",
]
