"""The console's certificate while it serves: renewed before its end, and shown by the next connection once it is new.

Somebody else may renew it as well (`canh pki import`, another start): the files are what counts. Connections that
are open keep the certificate they began with.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime

from pki.stamp import stamp_of
from soc.errors import PkiError
from soc.pki import Pki

LOOK_S = 2.0  # a change of the files is seen within this time
RENEW_S = 600.0

log = logging.getLogger(__name__)


class Shown:
    """What the next connection is shown. Belongs to the event loop's thread."""

    def __init__(self, pki: Pki, names: Sequence[str]) -> None:
        self._pki, self._names = pki, names
        self._seen = self._stamp()
        self._context: ssl.SSLContext | None = None  # None: what the server began with

    def attach(self, serving: ssl.SSLContext) -> None:
        """Let the server's handshakes take what is current."""

        def current(handshake: ssl.SSLSocket | ssl.SSLObject, name: str | None, first: ssl.SSLContext) -> None:
            if self._context is not None:
                handshake.context = self._context

        serving.sni_callback = current  # called for each handshake, with or without a name

    async def keep(self) -> None:
        """For ever. What cannot be done is said and tried again."""
        due = 0.0
        while True:
            now = asyncio.get_running_loop().time()
            if now >= due:
                due = now + RENEW_S
                await asyncio.to_thread(self._renew)
            self.look()
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Read the files again when they changed. A pair that does not fit leaves what was, and is said once."""
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        fresh = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        fresh.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            fresh.load_cert_chain(self._pki.certificate, self._pki.key)
        except OSError as error:  # ssl.SSLError is one
            log.error("the changed %s cannot be used, going on with what was: %s", self._pki.certificate, error)
            return
        self._context = fresh
        log.info("the console's certificate was read again")

    def _renew(self) -> None:
        try:
            self._pki.ensure(self._names, datetime.now(UTC))
        except (PkiError, OSError) as error:
            log.error("the console's certificate cannot be renewed: %s", error)

    def _stamp(self) -> tuple[tuple[int, int], ...]:
        return stamp_of(self._pki.certificate), stamp_of(self._pki.key)
