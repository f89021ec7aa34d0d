"""TLS of the receivers: our certificate, who may connect, and what was revoked, read again when it changes.

A context cannot forget a revocation list, so a change of any of the files makes a new one. A new
context also has new ticket keys (TLS 1.2): a session begun before a revocation cannot be resumed after it.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from monitoring.errors import ReceiverError
from pki import Authority, PkiError
from pki.stamp import stamp_of
from pki.trust import serials

LOOK_S = 1.0  # a change of the files is seen within this time
SERVICE = "collector"

log = logging.getLogger("canh.collect")


class Clients(StrEnum):
    """Whether senders show a certificate of our CA."""

    NONE = "none"  # they are not asked
    OPTIONAL = "optional"  # one that shows a bad one is refused
    REQUIRED = "required"


class TlsKeys:
    """The collector's side of every TLS connection. Belongs to the event loop's thread."""

    def __init__(self, authority: Authority, clients: Clients) -> None:
        """Raises ReceiverError when the files cannot be used."""
        self.revoked: frozenset[tuple[bytes, int]] = frozenset()  # issuer's name and serial number
        self._clients = clients
        self._authority = authority
        self._files = (*authority.files_of(SERVICE), authority.certificate, authority.crl)
        self._seen = self._stamp()
        self._looked = time.monotonic()
        try:
            self._context = self._made()
        except (OSError, ValueError, PkiError) as error:  # ssl.SSLError is an OSError
            raise ReceiverError(
                f"the collector's certificate cannot be used: {error}",
                where=self._files[0],
                fix="canh pki list shows what there is; remove the file and start again: a new one is made",
            ) from error

    def context(self) -> ssl.SSLContext:
        """For the next connection."""
        if time.monotonic() - self._looked >= LOOK_S:
            self.look()
        return self._context

    def look(self) -> None:
        """Read the files again when they changed. What cannot be used leaves what was, and is said once."""
        self._looked, stamp = time.monotonic(), self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            self._context = self._made()
            log.info("TLS: certificate and revocations read again")
        except (OSError, ValueError, PkiError) as error:
            log.error(
                "TLS: the changed files in %s cannot be used, going on with what was: %s", self._files[0].parent, error
            )

    def _made(self) -> ssl.SSLContext:
        certificate, key, ca, crl = self._files
        beside = [one for one in self._authority.trust.all() if one.crl.exists()]
        revoked = serials([crl, *(one.crl for one in beside)])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        # rsyslog peeks at a connection before it sends. A ticket it never read would hide from it that we went.
        context.num_tickets = 0
        context.load_cert_chain(certificate, key)
        if self._clients is not Clients.NONE:
            for path in (ca, crl, *(path for one in beside for path in (one.certificate, one.crl))):
                context.load_verify_locations(path)
            # The province's CA may be one below another: it is trusted by itself.
            context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF | ssl.VERIFY_X509_PARTIAL_CHAIN
            required = self._clients is Clients.REQUIRED
            context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
        self.revoked = revoked
        return context

    def _stamp(self) -> tuple[tuple[int, int], ...]:
        beside = sorted(self._authority.trust.folder.glob("*.cr[tl]"))
        return tuple(stamp_of(path) for path in (*self._files, *beside))


def keys_for(folder: Path, names: Iterable[str], clients: Clients, now: datetime) -> TlsKeys:
    """Keys from a pki directory; CA, certificate for `names` and list are made when missing.

    Raises PkiError, ReceiverError.
    """
    authority = Authority(folder)
    authority.ensure(now)
    authority.ensure_server(SERVICE, names, now)
    return TlsKeys(authority, clients)
