"""From one CA to the next with both trusted for a while: take the next one in, switch to it, let the old one go.

Between the steps senders get the bundle of both (`trust.crt`), then certificates of the new one, at their own pace.
The province's own CA may also stay beside ours for good: it vouches for its own devices, and issues nothing here.
"""

from __future__ import annotations

from dataclasses import replace as changed
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from pki import files, register
from pki.authority import CA_LIFE, OURS, Authority, load
from pki.errors import PkiError
from pki.register import Entry
from pki.trust import Trusted, given
from pki.x509 import SigningKey, authority_for, new_key, subject_of


def take_in(
    authority: Authority,
    now: datetime,
    *,
    certificate: bytes | None = None,
    key: bytes | None = None,
    crl: bytes | None = None,
) -> Trusted:
    """Trust another CA beside the one that issues: a new one of our own, or `certificate` (PEM, its chain behind it)
    with its `key`, when it is to issue here later, or with its list `crl`; again with a later list. Raises PkiError."""
    if certificate is None:
        signer: SigningKey | None = (own := new_key())
        chain, listed = [authority_for(own, OURS, now, CA_LIFE)], b""
    else:
        chain, signer, listed = given(certificate, key, crl, now)
    with files.writing(authority.folder):
        held = register.read(authority.register)
        issuer = authority.issuer_of(held, now)
        if chain[0] == issuer[0]:
            raise PkiError("this CA is the one that issues", where=authority.certificate, fix="there is nothing to do")
        made = authority.trust.add(chain, key=signer, crl=listed)
        authority.sign_lists(held, issuer, now)
        return made


def switch(authority: Authority, which: str, now: datetime) -> x509.Certificate:
    """Issue under a trusted CA whose key is here; the one before is trusted on and its list signed. Raises PkiError."""
    with files.writing(authority.folder):
        held = register.read(authority.register)
        following = authority.trust.named(which)
        if not following.may_issue_here:
            raise PkiError(
                "the key of this CA is not here",
                where=following.certificate,
                fix="canh pki trust --cert FILE --key FILE",
            )
        issuer = authority.follow(following)
        is_ours = following.ca.subject == following.ca.issuer == subject_of(OURS)
        authority.sign_lists(changed(held, is_imported=not is_ours), issuer, now)
        return issuer[0]


def distrust(authority: Authority, which: str, now: datetime) -> Trusted:
    """Trust a CA no more; what it issued for us counts as replaced. Raises PkiError."""
    with files.writing(authority.folder):
        held = register.read(authority.register)
        gone = authority.trust.named(which)
        entries = tuple(
            changed(e, is_replaced=True) if e.is_current and _is_of(authority, e, gone.ca) else e for e in held.entries
        )
        authority.trust.remove(gone)
        authority.sign_lists(changed(held, entries=entries), authority.issuer_of(held, now), now)
        return gone


def _is_of(authority: Authority, entry: Entry, ca: x509.Certificate) -> bool:
    try:
        load(authority.files_of(entry.name)[0]).verify_directly_issued_by(ca)
    except (InvalidSignature, ValueError, TypeError, OSError, PkiError):  # another CA's, or a file that is gone
        return False
    return True
