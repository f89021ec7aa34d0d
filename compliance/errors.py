"""Errors of the side that proves.

OpsError
└── ComplianceError          cannot audit at all
    ├── ControlError         a control's own files are wrong (file:line)
    └── EvidenceError        evidence is missing, changed or out of order
"""

from __future__ import annotations

from inventory.errors import OpsError


class ComplianceError(OpsError):
    """An audit cannot be carried out."""


class ControlError(ComplianceError):
    """A control.yaml cannot be used."""


class EvidenceError(ComplianceError):
    """Evidence does not hold: a file is missing, altered or not in its place in the chain."""
