"""Errors of rule sets.

RuleError (of `soc.sigma`)
├── SourceError     a community set cannot be read, or is not one
├── SetError        a set cannot be put in place or taken away
└── KeepError       a rule or a filter of the province's own cannot be saved
"""

from __future__ import annotations

from soc.sigma.errors import RuleError as RuleError


class SourceError(RuleError):
    """Nothing was taken from it: what is in place stays."""


class SetError(RuleError):
    """What was in place stays."""


class KeepError(RuleError):
    """Nothing was written."""
