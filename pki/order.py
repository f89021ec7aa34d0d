"""What a certificate is to be, and what the register says of it once it is issued."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from pki.register import Entry
from pki.x509 import Purpose, fingerprint_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    name: str
    names: tuple[str, ...]
    purpose: Purpose
    life: timedelta
    public: CertificatePublicKeyTypes | None = None  # None: a key is made

    def entry(self, issued: x509.Certificate, now: datetime) -> Entry:
        return Entry(
            name=self.name,
            serial=f"{issued.serial_number:x}",
            purpose=self.purpose,
            names=self.names,
            issued=now,
            expires=issued.not_valid_after_utc,
            sha256=fingerprint_of(issued),
        )
