"""Certificates, requests and revocation lists as `cryptography` makes them. No file is touched here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import (
    CertificateIssuerPrivateKeyTypes,
    CertificatePublicKeyTypes,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pki.errors import PkiError

SKEW = timedelta(minutes=5)  # a client's clock may be behind
LEAST_RSA_BITS = 2048  # CA/Browser Forum baseline requirements, 6.1.5
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_KEYS = (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)
SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_Name = x509.DNSName | x509.IPAddress


class Purpose(StrEnum):
    """What a certificate is good for."""

    SERVER = "server"
    CLIENT = "client"
    DEVICE = "device"  # both: it sends logs and is asked

    @property
    def usages(self) -> list[x509.ObjectIdentifier]:
        server, client = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
        return {Purpose.SERVER: [server], Purpose.CLIENT: [client], Purpose.DEVICE: [server, client]}[self]


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def authority_for(key: SigningKey, common_name: str, now: datetime, life: timedelta) -> x509.Certificate:
    """A self-signed CA that issues certificates of ends only."""
    subject = subject_of(common_name)
    return (
        _builder(subject, subject, key.public_key(), now, life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(is_authority=True, is_rsa=False), critical=True)
        .sign(key, hashes.SHA256())
    )


def certificate_for(
    public: CertificatePublicKeyTypes,
    common_name: str,
    names: Sequence[str],
    purpose: Purpose,
    issuer: tuple[x509.Certificate, SigningKey],
    valid: tuple[datetime, timedelta],
) -> x509.Certificate:
    """A certificate of an end. It never outlives its issuer."""
    (ca, ca_key), (now, life) = issuer, valid
    built = _builder(subject_of(common_name), ca.subject, public, now, min(life, ca.not_valid_after_utc - now))
    if names:
        general = [_general_name(name) for name in names]
        built = built.add_extension(x509.SubjectAlternativeName(general), critical=False)
    return (
        built.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(is_authority=False, is_rsa=isinstance(public, rsa.RSAPublicKey)), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purpose.usages), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def revocations(
    issuer: tuple[x509.Certificate, SigningKey],
    revoked: Iterable[tuple[int, datetime]],
    number: int,
    valid: tuple[datetime, timedelta],
) -> x509.CertificateRevocationList:
    """The list of (serial number, revoked at)."""
    (ca, ca_key), (now, life) = issuer, valid
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(ca.subject)
        .last_update(now - SKEW)
        .next_update(now + life)
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    )
    for serial, at in revoked:
        one = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at).build()
        builder = builder.add_revoked_certificate(one)
    return builder.sign(ca_key, hashes.SHA256())


def request_of(pem: bytes) -> x509.CertificateSigningRequest:
    """A signing request whose key is its sender's and strong enough. Raises PkiError."""
    try:
        request = x509.load_pem_x509_csr(pem)
        is_own, key = request.is_signature_valid, request.public_key()
    except Exception as error:  # UnsupportedAlgorithm and others of the library's besides ValueError
        raise PkiError(
            "this is no signing request", fix="give a PEM file that begins with CERTIFICATE REQUEST"
        ) from error
    if not is_own:
        raise PkiError("the request is not signed by its own key", fix="make it again on the device")
    if not is_strong(key):
        raise PkiError(
            "the request's key is too weak or of an unknown kind",
            fix=f"RSA of {LEAST_RSA_BITS} bits or more, or ECDSA on P-256, P-384 or P-521",
        )
    return request


def is_strong(key: object) -> bool:
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= LEAST_RSA_BITS
    return isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES)


def signing_key(pem: bytes) -> SigningKey:
    """Raises ValueError or TypeError for what cannot sign for us."""
    key: CertificateIssuerPrivateKeyTypes | object = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, _KEYS) or not is_strong(key.public_key()):
        raise ValueError("neither a strong RSA key nor one on P-256, P-384 or P-521")
    return key


def key_bytes(key: SigningKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def pem_of(certificate: x509.Certificate | x509.CertificateRevocationList) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def names_of(held: x509.Certificate | x509.CertificateSigningRequest) -> tuple[str, ...]:
    """The subject's other names: hosts, then addresses."""
    try:
        names = held.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses: list[IPv4Address | IPv6Address] = [
        a for a in names.get_values_for_type(x509.IPAddress) if isinstance(a, IPv4Address | IPv6Address)
    ]
    return (*names.get_values_for_type(x509.DNSName), *map(str, addresses))


def subject_of(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def fingerprint_of(certificate: x509.Certificate) -> str:
    """SHA-256, upper-case hex pairs, as browsers show it."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def _builder(
    subject: x509.Name, issuer: x509.Name, key: CertificatePublicKeyTypes, now: datetime, life: timedelta
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


def _usage(*, is_authority: bool, is_rsa: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=is_rsa,  # TLS 1.2 with RSA key exchange, as old devices speak it
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> _Name:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        pass
    try:
        return x509.DNSName(name)
    except ValueError as error:  # not ASCII
        raise PkiError(f"{name!r} is no host name", fix="write it in ASCII, as in the DNS") from error
