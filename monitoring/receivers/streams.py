"""What comes over connections besides plain syslog: the same server, with TLS and other protocols on it.

receiver      port   what comes                            answer
syslog-tls    6514   syslog, RFC 5425; lines as well       none
json-tcp      5170   a JSON document a line                none
json-tls      5171   the same
relp-tcp      2514   syslog in RELP frames                 after fsync
relp-tls      2515   the same
bulk          9243   Elasticsearch's _bulk over HTTPS      after fsync
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable
from typing import cast

from cryptography import x509

from monitoring.receivers.framing import Framer
from monitoring.receivers.intake import Intake
from monitoring.receivers.sockets import Listen
from monitoring.receivers.tcp import MOST_OF_ONE_PEER, SyslogTcp, _Connection
from monitoring.receivers.tls import TlsKeys

HANDSHAKE_S = 10.0
SHUTDOWN_S = 2.0  # a peer that does not answer our farewell is cut off
LOOK_S = 5.0  # a revoked sender that is connected goes within this time
SAY_AGAIN_S = 10.0  # between two lines of the log about handshakes that failed

log = logging.getLogger("canh.collect")


class StreamReceiver(SyslogTcp):
    """One listening socket of any of the protocols above."""

    def __init__(
        self,
        receiver: str,
        connection: Callable[[StreamReceiver], StreamConnection],
        listen: Listen,
        intake: Intake,
        *,
        limit: int,
        keys: TlsKeys | None = None,
        most: int | None = None,
        sock: socket.socket | None = None,
    ) -> None:
        """Binds, unless `sock` is bound already. keys: for TLS. limit: octets kept of a message.

        Raises ReceiverError.
        """
        super().__init__(listen, intake, limit=limit, most=most, sock=sock)
        self.receiver = receiver
        self._connection = connection
        self._keys = keys
        self._shaking: Counter[str] = Counter()
        self._said = 0.0
        self._looking: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        await super().start()
        if self._keys is not None:
            self._look()

    async def stop(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
        for task in self._opening:  # nothing was taken of them yet
            task.cancel()
        await super().stop()

    async def _open(self, sock: socket.socket) -> None:
        """A client whose handshakes are under way has no more of them than connections."""
        try:
            peer = str(sock.getpeername()[0])
        except OSError:  # it ended before it began
            sock.close()
            return
        if self._shaking[peer] + self.by_peer[peer] >= MOST_OF_ONE_PEER:
            self.refused("connections-of-one-peer", peer)
            sock.close()
            return
        self._shaking[peer] += 1
        try:
            await self._shake(sock, peer)
        finally:
            self._shaking[peer] -= 1
            if not self._shaking[peer]:
                del self._shaking[peer]

    async def _shake(self, sock: socket.socket, peer: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            if self._keys is None:
                await loop.connect_accepted_socket(lambda: self._connection(self), sock)
            else:
                await loop.connect_accepted_socket(
                    lambda: self._connection(self),
                    sock,
                    ssl=self._keys.context(),
                    ssl_handshake_timeout=HANDSHAKE_S,
                    ssl_shutdown_timeout=SHUTDOWN_S,
                )
        except OSError as error:  # ssl.SSLError among them
            if self._keys is not None:
                self._tell(peer, error)
            sock.close()

    def refused(self, reason: str, peer: str, n: int = 1) -> None:
        self.intake.counters.refused(reason, f"{self.receiver} {peer}", n)

    def _tell(self, peer: str, error: OSError) -> None:
        self.refused("tls-handshake", peer)
        now = time.monotonic()
        if now - self._said > SAY_AGAIN_S:
            self._said = now
            why = error.reason if isinstance(error, ssl.SSLError) else error
            log.warning("%s: no TLS with %s: %s", self.receiver, peer, why)

    def _look(self) -> None:
        """Cut off those whose certificate was revoked while they were connected."""
        assert self._keys is not None
        self._looking = asyncio.get_running_loop().call_later(LOOK_S, self._look)
        self._keys.look()
        if not self._keys.revoked:
            return
        for connection in tuple(self.open):
            if isinstance(connection, StreamConnection) and connection.showed in self._keys.revoked:
                self.refused("certificate-revoked", connection.peer)
                connection.abort()


class StreamConnection(_Connection):
    """One sender; lines or counted frames of syslog unless a class below says otherwise."""

    showed: tuple[bytes, int] | None = None  # of its certificate the issuer's name and the serial number
    answers = False  # whether its sender reads

    def __init__(self, server: StreamReceiver) -> None:
        super().__init__(server)
        self.server = server
        self._is_choked = False  # its sender does not read what we answer

    @property
    def peer(self) -> str:
        return self._peer

    @property
    def port(self) -> int:
        return self._port

    @property
    def transport(self) -> asyncio.Transport:
        return self._transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        session = cast(ssl.SSLObject | None, transport.get_extra_info("ssl_object"))
        shown = None if session is None else session.getpeercert(binary_form=True)
        if shown:
            certificate = x509.load_der_x509_certificate(shown)
            self.showed = certificate.issuer.public_bytes(), certificate.serial_number
            who = certificate.subject.rfc4514_string()
            log.info("%s: %s connected as %r", self.server.receiver, self.peer, who)

    def pause_writing(self) -> None:
        """Whoever does not read our answers is not read either: they would fill the memory."""
        self._is_choked = True
        self.pause()

    def resume_writing(self) -> None:
        self._is_choked = False
        if not self.server.is_paused:
            self.resume()

    def resume(self) -> None:
        if not self._is_choked:
            super().resume()

    def say_goodbye(self) -> None:
        """Over TLS nothing can be said without closing: what is under way is still read until then."""
        if self._transport.can_write_eof():
            super().say_goodbye()

    def close(self) -> None:
        """Without a farewell of TLS to senders that never read: it hid from rsyslog that we went, and its next
        message was lost."""
        if not self.answers and self._transport.get_extra_info("ssl_object") is not None:
            self.abort()
        super().close()

    def abort(self) -> None:
        self._transport.abort()


class JsonLines(StreamConnection):
    """A document a line; no line is taken for an octet count."""

    def __init__(self, server: StreamReceiver) -> None:
        super().__init__(server)
        self._framer = Framer(server.limit, counted=False)
