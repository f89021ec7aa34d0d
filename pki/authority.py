"""The internal CA: makes itself, issues, renews, revokes, and says what is near its end.

ca.crt      what clients trust; behind it the chain when the province's own CA issues
ca.key      never leaves the directory (0600)
ca.crl      what was revoked; receivers of TLS read it again when it changes
trusted/, trust.crt     CAs that are trusted beside, see `trust`
<service>.crt/.key      of the platform's own servers: console, collector
issued/<name>.crt/.key  of everything else; no key when the device keeps its own
register.json           all of it, also what was replaced or revoked
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace as changed
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509

from pki import files, register
from pki.adoption import checked
from pki.errors import PkiError
from pki.order import Order
from pki.register import Entry, Register
from pki.trust import Trust, Trusted
from pki.x509 import (
    Purpose,
    SigningKey,
    authority_for,
    certificate_for,
    key_bytes,
    names_of,
    new_key,
    pem_of,
    request_of,
    revocations,
    signing_key,
)

CA_LIFE = timedelta(days=3650)
SERVER_LIFE = timedelta(days=397)  # the most browsers accept (CA/Browser Forum)
RENEW_BEFORE = timedelta(days=30)
CRL_LIFE = timedelta(days=30)  # signed anew every day, so this is how long the signer may be away
CRL_AGE = timedelta(days=1)
SERVICES = ("console", "collector")
OURS = "Canh internal CA"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
Issuer = tuple[x509.Certificate, SigningKey]


class Authority:
    """A pki directory. Every method may be called from several processes at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certificate, self.crl = folder / "ca.crt", folder / "ca.crl"
        self.key, self.register = folder / "ca.key", folder / "register.json"
        self.trust = Trust(folder)

    def files_of(self, name: str) -> tuple[Path, Path]:
        """Where a certificate and its key are; whether they exist is another matter."""
        folder = self.folder if name in SERVICES else self.folder / "issued"
        return folder / f"{name}.crt", folder / f"{name}.key"

    def entries(self) -> tuple[Entry, ...]:
        """All that was issued, oldest first. Raises PkiError."""
        return register.read(self.register).entries

    def load(self) -> x509.Certificate:
        """The CA's own certificate. Raises PkiError when there is none yet."""
        return load(self.certificate)

    def ensure(self, now: datetime, *, sign: bool = False) -> bool:
        """Make the CA where it is missing and sign the revocation list anew where it is a day old; True if so.

        sign: in any case. Raises PkiError.
        """
        with files.writing(self.folder):
            held = register.read(self.register)
            issuer = self.issuer_of(held, now)
            if self._is_fresh(issuer[0], now) and not sign:
                return False
            self.sign_lists(held, issuer, now)
            return True

    def ensure_server(self, service: str, names: Iterable[str], now: datetime) -> bool:
        """Make the certificate of one of SERVICES where it is missing, near its end, revoked, another CA's or
        for other names; True if one was made. Raises PkiError."""
        wanted = tuple(dict.fromkeys(("localhost", "127.0.0.1", *names)))
        with files.writing(self.folder):
            held = register.read(self.register)
            issuer = self.issuer_of(held, now)
            if self._serves(service, wanted, issuer[0], held, now):
                return False
            order = Order(name=service, names=wanted, purpose=Purpose.SERVER, life=SERVER_LIFE)
            self._issue(held, issuer, order, now)
            return True

    def issue(
        self,
        name: str,
        *,
        names: Iterable[str] = (),
        purpose: Purpose,
        life: timedelta,
        now: datetime,
        request: bytes | None = None,
    ) -> Entry:
        """Issue a certificate below `issued/`. request: a signing request (PEM) whose key is certified; without
        it a key is made beside. Its host names count only when `names` are empty. Raises PkiError."""
        if not _NAME.fullmatch(name) or name in (*SERVICES, "ca"):
            raise PkiError(
                f"{name!r} cannot name a certificate", fix="letters, digits, dot, dash, underscore; at most 63"
            )
        if life <= timedelta(0):
            raise PkiError("a certificate has to be valid for a day at least", fix="give --days 1 or more")
        asked = None if request is None else request_of(request)
        wanted = tuple(dict.fromkeys(names)) or (() if asked is None else names_of(asked))
        if purpose is not Purpose.CLIENT and not wanted:
            raise PkiError(
                f"a {purpose} certificate needs the names by which it is reached", fix="give --name HOST-OR-ADDRESS"
            )
        public = None if asked is None else asked.public_key()
        with files.writing(self.folder):
            held = register.read(self.register)
            if held.current(name) is not None:
                raise PkiError(
                    f"{name} has a certificate already", where=self.files_of(name)[0], fix=f"canh pki renew {name}"
                )
            order = Order(name=name, names=wanted, purpose=purpose, life=life, public=public)
            return self._issue(held, self.issuer_of(held, now), order, now)

    def renew(self, name: str, *, now: datetime, life: timedelta | None = None) -> Entry:
        """A new certificate with the names and purpose of the current one; with a new key where the key is ours,
        else for the same key. The old one stays valid to its end. Raises PkiError."""
        with files.writing(self.folder):
            held = register.read(self.register)
            old = held.current(name)
            if old is None:
                raise PkiError(f"{name} has no valid certificate", fix="see `canh pki list`")
            certificate, key = self.files_of(name)
            public = None if key.exists() else load(certificate).public_key()
            span = life or (old.expires - old.issued)
            order = Order(name=name, names=old.names, purpose=old.purpose, life=span, public=public)
            return self._issue(held, self.issuer_of(held, now), order, now)

    def revoke(self, which: str, *, reason: str, now: datetime) -> tuple[Entry, ...]:
        """Revoke all certificates of a name, or the one of a serial number, and sign the list anew. Raises PkiError."""
        with files.writing(self.folder):
            held = register.read(self.register)
            marked = {e.serial for e in held.entries if e.revoked is None and which in (e.name, e.serial)}
            if not marked:
                raise PkiError(f"nothing that is valid is called {which}", fix="see `canh pki list`")
            entries = tuple(changed(e, revoked=now, reason=reason) if e.serial in marked else e for e in held.entries)
            self.sign_lists(changed(held, entries=entries), self.issuer_of(held, now), now)
            return tuple(e for e in entries if e.serial in marked)

    def adopt(self, certificate: bytes, key: bytes, now: datetime) -> x509.Certificate:
        """Issue under the province's own CA from now on. certificate: PEM, the issuing CA first, then its chain.

        What the CA before issued is not trusted any more: it is marked replaced. `rollover` is the way without
        that. Raises PkiError.
        """
        chain, signer = checked(certificate, key, now)
        with files.writing(self.folder):
            held = register.read(self.register)
            entries = tuple(changed(e, is_replaced=True) for e in held.entries)
            files.replace(self.key, key_bytes(signer), files.OWNER_ONLY)
            files.replace(self.certificate, b"".join(map(pem_of, chain)), files.PUBLIC)
            self.sign_lists(Register(entries=entries, is_imported=True), (chain[0], signer), now)
            return chain[0]

    def follow(self, following: Trusted) -> Issuer:
        """Issue under a trusted CA from now on; the one before is trusted on. Raises PkiError, OSError."""
        signer, content = self.trust.key_of(following), following.certificate.read_bytes()
        self._keep_trusted()
        files.replace(self.key, key_bytes(signer), files.OWNER_ONLY)
        files.replace(self.certificate, content, files.PUBLIC)
        self.trust.remove(following)
        return following.ca, signer

    def _keep_trusted(self) -> None:
        """The CA that has issued so far; its key goes with it. Raises PkiError, OSError."""
        chain = x509.load_pem_x509_certificates(self.certificate.read_bytes())
        key = self._load_key() if self.key.exists() else None
        # Of another CA when this was done already and a kill came before the end.
        if key is not None and key.public_key() == chain[0].public_key():
            self.trust.add(chain, key=key, crl=self.crl.read_bytes() if self.crl.exists() else b"")

    def issuer_of(self, held: Register, now: datetime) -> Issuer:
        """The CA, made when missing; ours near its end is followed by the next one, and trusted on. Raises PkiError,
        OSError."""
        if self.certificate.exists():
            ca = load(self.certificate)
            if _has_time(ca, now) or (held.is_imported and ca.not_valid_after_utc > now):
                return ca, self._key_of(ca)
            if held.is_imported:
                raise PkiError(
                    "the province's CA has expired", where=self.certificate, fix="canh pki import its new one"
                )
            following = next((t for t in self.trust.all() if t.may_issue_here and _has_time(t.ca, now)), None)
            if following is not None:
                return self.follow(following)
            self._keep_trusted()
        key = new_key()
        ca = authority_for(key, OURS, now, CA_LIFE)
        files.replace(self.key, key_bytes(key), files.OWNER_ONLY)
        files.replace(self.certificate, pem_of(ca), files.PUBLIC)
        self.crl.unlink(missing_ok=True)
        return ca, key

    def _key_of(self, ca: x509.Certificate) -> SigningKey:
        key = self._load_key()
        if key.public_key() != ca.public_key():
            raise PkiError(
                "the CA's key is another one's: something was interrupted",
                where=self.key,
                fix="canh pki switch, or import, once more",
            )
        return key

    def _load_key(self) -> SigningKey:
        try:
            return signing_key(self.key.read_bytes())
        except OSError as error:
            raise PkiError("the CA's key cannot be read", where=self.key, fix="run as the owner of the file") from error
        except (ValueError, TypeError) as error:
            raise PkiError("the CA's key cannot be used", where=self.key, fix="put back the key Canh made") from error

    def _serves(
        self, service: str, wanted: tuple[str, ...], ca: x509.Certificate, held: Register, now: datetime
    ) -> bool:
        certificate, key = self.files_of(service)
        if not (certificate.exists() and key.exists()):
            return False
        served = load(certificate)
        if not set(wanted) <= set(names_of(served)) or _is_revoked(held, served):
            return False
        try:
            served.verify_directly_issued_by(ca)
        except Exception:  # an older CA's, or not a certificate of ours at all
            return False
        return served.not_valid_after_utc - now > min(RENEW_BEFORE, (ca.not_valid_after_utc - now) / 2)

    def _issue(self, held: Register, issuer: Issuer, order: Order, now: datetime) -> Entry:
        """The key first: whoever reads between the two sees a pair that does not fit, and reads again."""
        certificate, key = self.files_of(order.name)
        files.make_folder(certificate.parent)
        public = order.public
        if public is None:
            own = new_key()
            public = own.public_key()
            files.replace(key, key_bytes(own), files.OWNER_ONLY)
        common_name = f"Canh {order.name}" if order.name in SERVICES else order.name
        issued = certificate_for(public, common_name, order.names, order.purpose, issuer, (now, order.life))
        files.replace(certificate, pem_of(issued) + self._intermediates(), files.PUBLIC)
        entry = order.entry(issued, now)
        before = tuple(changed(e, is_replaced=True) if e.name == order.name else e for e in held.entries)
        register.write(self.register, changed(held, entries=(*before, entry)))
        return entry

    def _intermediates(self) -> bytes:
        """What a server has to show besides its own certificate: our CA and its chain, but no root."""
        chain = x509.load_pem_x509_certificates(self.certificate.read_bytes())
        return b"".join(pem_of(c) for c in chain if c.issuer != c.subject)

    def _is_fresh(self, ca: x509.Certificate, now: datetime) -> bool:
        """Whether the revocation list is there, of this CA and of today."""
        try:
            crl = x509.load_pem_x509_crl(self.crl.read_bytes())
        except (OSError, ValueError):
            return False
        is_its = crl.is_signature_valid(ca.public_key())  # type: ignore[arg-type]
        return is_its and now - crl.last_update_utc < CRL_AGE

    def sign_lists(self, held: Register, issuer: Issuer, now: datetime) -> None:
        """Write lists, register and bundle. Expired certificates need no revocation."""
        held = changed(held, crl_number=held.crl_number + 1)
        revoked = [(int(e.serial, 16), e.revoked) for e in held.entries if e.revoked is not None and e.expires > now]
        signed = revocations(issuer, revoked, held.crl_number, (now, CRL_LIFE))
        register.write(self.register, held)
        files.replace(self.crl, pem_of(signed), files.PUBLIC)
        self.trust.sign(revoked, held.crl_number, (now, CRL_LIFE))
        self.trust.write_bundle(self.certificate)


def load(path: Path) -> x509.Certificate:
    """The first certificate of a PEM file. Raises PkiError."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise PkiError(
            "this certificate cannot be read", where=path, fix="remove it and start `canh serve`: a new one is made"
        ) from error


def _has_time(ca: x509.Certificate, now: datetime) -> bool:
    return ca.not_valid_after_utc - now > RENEW_BEFORE


def _is_revoked(held: Register, certificate: x509.Certificate) -> bool:
    serial = f"{certificate.serial_number:x}"
    return any(e.serial == serial and e.revoked is not None for e in held.entries)
