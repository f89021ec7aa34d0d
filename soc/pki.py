"""The internal certificate authority and the console's certificate, in `<data>/pki/`.

`ca.crt` is what people import into their browsers; `ca.key` never leaves the directory (0600).
The server certificate is made when absent, when its names no longer fit or when it is near its end.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from soc.errors import PkiError

CA_LIFE = timedelta(days=3650)
SERVER_LIFE = timedelta(days=397)  # the most browsers accept (CA/Browser Forum)
RENEW_BEFORE = timedelta(days=30)
SKEW = timedelta(minutes=5)  # a client's clock may be behind
_Name = x509.DNSName | x509.IPAddress


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
        self.ca_certificate, self._ca_key = folder / "ca.crt", folder / "ca.key"
        self.certificate, self.key = folder / "console.crt", folder / "console.key"

    def ensure(self, names: Iterable[str], now: datetime) -> bool:
        """Make the CA and a certificate for `names` (hosts and addresses) where needed; True if one was made."""
        wanted = tuple(dict.fromkeys(("localhost", "127.0.0.1", *names)))
        try:
            self._make_folder()
            ca, ca_key = self._authority(now)
            if self._serves(wanted, ca, now):
                return False
            self._issue(wanted, ca, ca_key, now)
        except OSError as error:
            raise PkiError(
                f"the certificate cannot be written: {error.strerror}",
                where=self.folder,
                fix="make the directory writable by this user",
            ) from error
        return True

    def authority(self) -> Certificate:
        """The CA. Raises PkiError when there is none yet."""
        return _shown(self.ca_certificate, self._load(self.ca_certificate))

    def server(self) -> Certificate:
        """The console's certificate. Raises PkiError when there is none yet."""
        return _shown(self.certificate, self._load(self.certificate))

    def _make_folder(self) -> None:
        if not self.folder.exists():
            owner = self.folder.parent.stat() if self.folder.parent.exists() else None
            self.folder.mkdir(parents=True, mode=0o755)
            if os.geteuid() == 0 and owner is not None:
                os.chown(self.folder, owner.st_uid, owner.st_gid)

    def _authority(self, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        if self.ca_certificate.exists():
            ca, key = self._load(self.ca_certificate), self._load_key(self._ca_key)
            if ca.not_valid_after_utc - now > RENEW_BEFORE:
                return ca, key
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _subject("Canh internal CA")
        ca = (
            _builder(subject, subject, key.public_key(), now, CA_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .sign(key, hashes.SHA256())
        )
        self._write(self._ca_key, _key_bytes(key), 0o600)
        self._write(self.ca_certificate, ca.public_bytes(serialization.Encoding.PEM), 0o644)
        return ca, key

    def _serves(self, wanted: tuple[str, ...], ca: x509.Certificate, now: datetime) -> bool:
        if not (self.certificate.exists() and self.key.exists()):
            return False
        served = self._load(self.certificate)
        fits = set(wanted) <= set(_names(served)) and served.issuer == ca.subject
        try:
            served.verify_directly_issued_by(ca)
        except Exception:  # an older CA's, or not a certificate of ours at all
            return False
        return fits and served.not_valid_after_utc - now > RENEW_BEFORE

    def _issue(
        self, wanted: tuple[str, ...], ca: x509.Certificate, ca_key: ec.EllipticCurvePrivateKey, now: datetime
    ) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        life = min(SERVER_LIFE, ca.not_valid_after_utc - now)
        issued = (
            _builder(_subject("Canh console"), ca.subject, key.public_key(), now, life)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in wanted]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
            .sign(ca_key, hashes.SHA256())
        )
        self._write(self.key, _key_bytes(key), 0o600)
        self._write(self.certificate, issued.public_bytes(serialization.Encoding.PEM), 0o644)

    def _write(self, path: Path, content: bytes, mode: int) -> None:
        """Replace atomically; the file belongs to the owner of the directory."""
        fresh = path.with_name(path.name + ".new")
        fresh.unlink(missing_ok=True)
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if os.geteuid() == 0:
                owner = self.folder.stat()
                os.fchown(file.fileno(), owner.st_uid, owner.st_gid)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)

    def _load(self, path: Path) -> x509.Certificate:
        try:
            return x509.load_pem_x509_certificate(path.read_bytes())
        except (OSError, ValueError) as error:
            raise PkiError(
                "this certificate cannot be read", where=path, fix="remove it and start `canh serve`: a new one is made"
            ) from error

    def _load_key(self, path: Path) -> ec.EllipticCurvePrivateKey:
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError) as error:
            raise PkiError("the CA's key cannot be read", where=path, fix="run as the owner of the file") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise PkiError("the CA's key is not an EC key", where=path, fix="put back the key Canh made")
        return key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _subject(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> _Name:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses: list[IPv4Address | IPv6Address] = [
        a for a in names.get_values_for_type(x509.IPAddress) if isinstance(a, IPv4Address | IPv6Address)
    ]
    return (*names.get_values_for_type(x509.DNSName), *map(str, addresses))


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _shown(path: Path, certificate: x509.Certificate) -> Certificate:
    return Certificate(
        path=path,
        subject=certificate.subject.rfc4514_string(),
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(":").upper(),
        expires=certificate.not_valid_after_utc,
        names=_names(certificate),
    )
