"""CAs that are trusted beside the one that issues: the one before ours or the next, or the province's own.

trusted/<id>.crt   such a CA, its chain behind it; the id is how its fingerprint begins
trusted/<id>.crl   what it revoked
trusted/<id>.key   only of one that may issue here; then its list is signed here too
trust.crt          the issuing CA and all of these: what senders trust while one follows the other

Whoever writes holds the directory (`files.writing`); reading needs no lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from pki import files
from pki.adoption import checked, may_issue
from pki.errors import PkiError
from pki.x509 import SigningKey, fingerprint_of, key_bytes, pem_of, revocations, signing_key

ID_DIGITS = 16
Revoked = Sequence[tuple[int, datetime]]  # serial number, when


@dataclass(frozen=True, slots=True, kw_only=True)
class Trusted:
    """A CA beside the issuing one, with its files."""

    id: str
    ca: x509.Certificate
    certificate: Path
    crl: Path
    key: Path

    @property
    def may_issue_here(self) -> bool:
        return self.key.exists()

    @property
    def listed_until(self) -> datetime | None:
        """When its revocation list runs out: none of its certificates is let in from then on. None: it has none."""
        try:
            return x509.load_pem_x509_crl(self.crl.read_bytes()).next_update_utc
        except (OSError, ValueError):
            return None


def id_of(ca: x509.Certificate) -> str:
    return fingerprint_of(ca).replace(":", "").lower()[:ID_DIGITS]


class Trust:
    """The folder `trusted` of a pki directory, and the bundle beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "trusted"
        self.bundle = folder / "trust.crt"

    def all(self) -> tuple[Trusted, ...]:
        """Raises PkiError for a file that cannot be read."""
        return tuple(self._of(path) for path in sorted(self.folder.glob("*.crt")))

    def named(self, which: str) -> Trusted:
        """The one whose id begins so; the only one when `which` is empty. Raises PkiError."""
        begin = which.replace(":", "").lower()[:ID_DIGITS]
        found = [one for one in self.all() if one.id.startswith(begin)]
        if len(found) != 1:
            called = f" whose id begins with {begin}" if begin else ""
            raise PkiError(
                f"there are {len(found)} trusted CAs{called}, not one", fix="canh pki show names them by their id"
            )
        return found[0]

    def add(self, chain: Sequence[x509.Certificate], *, key: SigningKey | None, crl: bytes = b"") -> Trusted:
        """With its key, or with its list. Raises OSError."""
        ca = chain[0]
        files.make_folder(self.folder)
        base = self.folder / id_of(ca)
        if key is not None:
            files.replace(base.with_suffix(".key"), key_bytes(key), files.OWNER_ONLY)
        if crl:
            files.replace(base.with_suffix(".crl"), crl, files.PUBLIC)
        files.replace(base.with_suffix(".crt"), b"".join(map(pem_of, chain)), files.PUBLIC)
        return self._of(base.with_suffix(".crt"))

    def remove(self, one: Trusted) -> None:
        """Raises OSError."""
        for path in (one.certificate, one.crl, one.key):
            path.unlink(missing_ok=True)

    def sign(self, revoked: Revoked, number: int, valid: tuple[datetime, timedelta]) -> None:
        """The lists of those whose keys are here; who has expired is forgotten. Raises PkiError, OSError."""
        for one in self.all():
            if one.ca.not_valid_after_utc <= valid[0]:
                self.remove(one)
            elif one.may_issue_here:
                signed = revocations((one.ca, self.key_of(one)), revoked, number, valid)
                files.replace(one.crl, pem_of(signed), files.PUBLIC)

    def key_of(self, one: Trusted) -> SigningKey:
        """Raises PkiError."""
        try:
            return signing_key(one.key.read_bytes())
        except (OSError, ValueError, TypeError) as error:
            raise PkiError("the key of a trusted CA cannot be used", where=one.key, fix="run as its owner") from error

    def write_bundle(self, issuing: Path) -> None:
        """Raises OSError."""
        parts = [issuing, *(one.certificate for one in self.all())]
        content = b"".join(path.read_bytes() for path in parts)
        if not self.bundle.exists() or self.bundle.read_bytes() != content:
            files.replace(self.bundle, content, files.PUBLIC)

    def _of(self, path: Path) -> Trusted:
        try:
            ca = x509.load_pem_x509_certificate(path.read_bytes())
        except (OSError, ValueError) as error:
            raise PkiError("this trusted CA cannot be read", where=path, fix="remove the file") from error
        crl, key = path.with_suffix(".crl"), path.with_suffix(".key")
        return Trusted(id=path.stem, ca=ca, certificate=path, crl=crl, key=key)


def given(
    certificate: bytes, key: bytes | None, crl: bytes | None, now: datetime
) -> tuple[list[x509.Certificate], SigningKey | None, bytes]:
    """A CA that is to be trusted, with its key or its list: chain, key, list. Raises PkiError."""
    if key is not None:
        chain, signer = checked(certificate, key, now)
        return chain, signer, b""
    if crl is None:
        raise PkiError(
            "without its revocation list nobody knows whom this CA let go",
            fix="give --crl FILE, or --key FILE if it is to issue here later",
        )
    try:
        chain, listed = x509.load_pem_x509_certificates(certificate), _listed(crl)
    except ValueError as error:
        raise PkiError(
            f"the CA or its list cannot be read: {error}", fix="give PEM files; a list may be DER"
        ) from error
    ca = chain[0]
    if not may_issue(ca):
        raise PkiError("this certificate may not issue others", fix="it needs CA:TRUE, keyCertSign and cRLSign")
    if not listed.is_signature_valid(ca.public_key()):  # type: ignore[arg-type]
        raise PkiError("this list is not this CA's", fix="give the list that this CA signed")
    if listed.next_update_utc is None or listed.next_update_utc <= now:
        raise PkiError("this list has run out", fix="fetch the CA's present one")
    return chain, None, pem_of(listed)


def _listed(crl: bytes) -> x509.CertificateRevocationList:
    is_text = crl.lstrip().startswith(b"-----")
    return x509.load_pem_x509_crl(crl) if is_text else x509.load_der_x509_crl(crl)


def serials(lists: Iterable[Path]) -> frozenset[tuple[bytes, int]]:
    """What lists say: issuer's name and serial number of each. Raises OSError, ValueError."""
    found = (x509.load_pem_x509_crl(path.read_bytes()) for path in lists)
    return frozenset((crl.issuer.public_bytes(), r.serial_number) for crl in found for r in crl)
