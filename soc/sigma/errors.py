"""Errors of rule loading.

SocError
└── RuleError      a rule set cannot be used at all (no folder, broken routing table)

One broken rule is no exception: it is a `Refusal`, and the others go on.
"""

from __future__ import annotations

from soc.errors import SocError


class RuleError(SocError):
    """A rule set cannot be used at all."""
