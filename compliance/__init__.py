"""The side that proves: controls, probes on the running system, evidence that can be checked anywhere.

audit(province, data_dir, controls()) probes and writes a run; verify(folder) checks one offline.
"""

from compliance.audit import audit
from compliance.control import controls
from compliance.errors import ComplianceError, ControlError, EvidenceError
from compliance.evidence import CHAIN, Verified, runs, verify, verify_runs
from compliance.outcome import results

__all__ = [
    "CHAIN",
    "ComplianceError",
    "ControlError",
    "EvidenceError",
    "Verified",
    "audit",
    "controls",
    "results",
    "runs",
    "verify",
    "verify_runs",
]
