"""What can go wrong with keys.

PkiError    the CA, a certificate or a token cannot be made, read or used; an OpsError
"""

from __future__ import annotations

from inventory.errors import OpsError


class PkiError(OpsError):
    """The CA, a certificate or a token cannot be used."""
