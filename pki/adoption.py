"""Whether a CA from elsewhere, the province's own, may issue for us."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509

from pki.errors import PkiError
from pki.x509 import SigningKey, signing_key


def checked(certificate: bytes, key: bytes, now: datetime) -> tuple[list[x509.Certificate], SigningKey]:
    """A CA with its chain and its key, if it may issue. Raises PkiError."""
    try:
        chain = x509.load_pem_x509_certificates(certificate)
        signer = signing_key(key)
    except (ValueError, TypeError) as error:
        raise PkiError(
            f"the CA cannot be read: {error}",
            fix="give PEM files; a key without a pass phrase (`openssl pkey` removes it)",
        ) from error
    ca = chain[0]
    if ca.public_key() != signer.public_key():
        raise PkiError("this key is not the CA's", fix="the issuing CA comes first in its file, its chain after it")
    if not may_issue(ca):
        raise PkiError("this certificate may not issue others", fix="it needs CA:TRUE, keyCertSign and cRLSign")
    if not ca.not_valid_before_utc <= now < ca.not_valid_after_utc:
        raise PkiError(
            "this CA is not valid now", fix=f"it is from {ca.not_valid_before_utc} to {ca.not_valid_after_utc}"
        )
    return chain, signer


def may_issue(ca: x509.Certificate) -> bool:
    """Whether it says that it is a CA and may sign certificates and lists."""
    try:
        if not ca.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        usage = ca.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound as missing:
        return missing.oid == x509.KeyUsage.oid
    return usage.key_cert_sign and usage.crl_sign
