"""What is made from the library is up to date: the page that lists it, and the register of its ids.

`make golden` (or CANH_GOLDEN=write with this file) rewrites both.
"""

from __future__ import annotations

import os

from soc import placeholders, scheduled
from soc.rulesets import REGISTER, coverage, page, registered
from soc.scheduled.cases import folders as scheduled_folders
from soc.sigma import OWN_RULES
from tests.unit.soc.engine_support import ROOT, lab, own_rules

PAGE = ROOT / "docs/reference/rules.md"
MORE = scheduled_folders(scheduled.load([OWN_RULES], placeholders.of(lab()))[0])


def test_the_page_lists_every_rule_and_what_they_cover() -> None:
    made = page(coverage(own_rules(), [OWN_RULES], lab(), MORE))
    if os.environ.get("CANH_GOLDEN") == "write":
        PAGE.write_text(made, "utf-8")
    assert PAGE.read_text("utf-8") == made, "fix: make golden"


def test_the_register_has_the_id_of_every_rule() -> None:
    register = OWN_RULES / REGISTER
    made = registered(OWN_RULES, own_rules(), MORE)
    if os.environ.get("CANH_GOLDEN") == "write":
        register.write_text(made, "utf-8")
    assert register.read_text("utf-8") == made, "fix: make golden, or canh rules check --register"
