"""The console's side of `<data>/pki/`: its certificate, and what is shown of it and of the CA.

The CA itself is `pki.Authority`, which the receivers share. `ca.crt` is what people import into their
browsers; `ca.key` never leaves the directory (0600).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pki.authority import CA_LIFE, RENEW_BEFORE, SERVER_LIFE, Authority, load
from pki.x509 import fingerprint_of, names_of

__all__ = ["CA_LIFE", "RENEW_BEFORE", "SERVER_LIFE", "Certificate", "Pki"]
_SERVICE = "console"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A certificate on disk, for showing."""

    path: Path
    subject: str
    fingerprint: str  # SHA-256, upper-case hex pairs, as browsers show it
    expires: datetime
    names: tuple[str, ...] = ()


class Pki:
    """The files of a pki directory; `ensure` makes what is missing or near its end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._authority = Authority(folder)
        self.ca_certificate = self._authority.certificate
        self.certificate, self.key = self._authority.files_of(_SERVICE)

    def ensure(self, names: Iterable[str], now: datetime) -> bool:
        """Make the CA and a certificate for `names` (hosts and addresses) where needed; True if one was made.

        Raises PkiError.
        """
        return self._authority.ensure_server(_SERVICE, names, now)

    def authority(self) -> Certificate:
        """The CA. Raises PkiError when there is none yet."""
        return shown(self.ca_certificate)

    def server(self) -> Certificate:
        """The console's certificate. Raises PkiError when there is none yet."""
        return shown(self.certificate)


def shown(path: Path) -> Certificate:
    """What people compare of a certificate on disk. Raises PkiError."""
    certificate = load(path)
    return Certificate(
        path=path,
        subject=certificate.subject.rfc4514_string(),
        fingerprint=fingerprint_of(certificate),
        expires=certificate.not_valid_after_utc,
        names=names_of(certificate),
    )
