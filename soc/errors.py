"""Errors of detection, cases and the console.

SocError
├── DatabaseError      soc.db cannot be opened, read or written
├── CaseError          an action on an alert that cannot be done as asked
│   ├── UnknownAlert   no alert has this id
│   └── Conflict       somebody acted on it since the caller looked
├── UserError          accounts
├── DeliveryError      who is to be told of alerts cannot be read
└── ServeError         the console cannot start
PkiError               (of `pki`) the internal CA
"""

from __future__ import annotations

from datetime import datetime

from inventory.errors import OpsError
from pki.errors import PkiError as PkiError


class SocError(OpsError):
    """Anything in `soc` that cannot go on."""


class DatabaseError(SocError):
    """soc.db cannot be used."""


class CaseError(SocError):
    """The action is refused; nothing was written. `code` names the reason for the catalogues."""

    def __init__(self, what: str, *, code: str = "", where: object = None, fix: str = "") -> None:
        super().__init__(what, where=where, fix=fix)
        self.code = code


class UnknownAlert(CaseError):
    """No alert has this id."""


class Conflict(CaseError):
    """Somebody acted on the alert since the caller looked: `actor`, `at`, and what they did."""

    def __init__(self, alert_id: str, *, actor: str, at: datetime, action: str) -> None:
        super().__init__(
            f"{actor} changed this alert at {at:%Y-%m-%d %H:%M:%S} UTC ({action})",
            code="conflict",
            where=f"alert {alert_id}",
            fix="look at what they did, then act again",
        )
        self.actor, self.at, self.action = actor, at, action


class UserError(SocError):
    """An account cannot be made or changed as asked."""


class DeliveryError(SocError):
    """The settings of delivery, or a secret they name, cannot be used."""


class ServeError(SocError):
    """The console cannot start."""
