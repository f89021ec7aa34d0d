"""Syslog over TCP: back-pressure instead of loss, and no client harms another."""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import time
from collections import Counter
from typing import cast

from monitoring.receivers.framing import Framer, Message
from monitoring.receivers.intake import Intake
from monitoring.receivers.sockets import Listen, tcp_listener
from monitoring.spool import Received

MOST_CONNECTIONS = 20_000  # of all; each holds at most one message
OTHER_FILES = 300  # of the process: the spool's, the store's worker's, other sockets, up to 192 devices being polled
MOST_OF_ONE_PEER = 200  # a relay needs a few; a client that opens thousands is not one
KEEPALIVE_S = 60
LAST_WORDS_S = 0.2
BACKLOG = 1024
ACCEPT = 64  # connections a wake-up; then the others on the loop have their turn
RETRY_S = 0.5

log = logging.getLogger("canh.collect")


def most_connections() -> int:
    """How many connections the limit of open files leaves room for."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if soft == resource.RLIM_INFINITY else max(1, min(MOST_CONNECTIONS, soft - OTHER_FILES))


class SyslogTcp:
    """One listening socket and its connections. When it has `most`, further senders wait to be accepted."""

    receiver = "syslog-tcp"

    def __init__(
        self,
        listen: Listen,
        intake: Intake,
        *,
        limit: int,
        most: int | None = None,
        sock: socket.socket | None = None,
    ) -> None:
        """Binds, unless `sock` is bound already.

        limit: octets kept of a message; most: connections, what open files allow when None.

        Raises ReceiverError.
        """
        self.listen = listen
        self.intake = intake
        self.limit = limit
        self.open: set[_Connection] = set()
        self.by_peer: Counter[str] = Counter()
        self._most = most_connections() if most is None else most
        self._socket = tcp_listener(listen) if sock is None else sock
        self._opening: set[asyncio.Task[None]] = set()
        self._is_listening = self._is_accepting = False
        self._is_paused = False

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    async def start(self) -> None:
        self._socket.listen(BACKLOG)
        self._is_listening = True
        self._accept_again()

    async def stop(self) -> None:
        """No new connections; the open ones say their last words and are closed."""
        self._accept_no_more()
        self._is_listening = False
        self._socket.close()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for connection in self.open:
            connection.say_goodbye()
        if self.open:
            await asyncio.sleep(LAST_WORDS_S)
        for connection in tuple(self.open):
            connection.close()

    def let_go(self, connection: _Connection, peer: str) -> None:
        """A connection ended: there is room for one that waits."""
        self.open.discard(connection)
        self.by_peer[peer] -= 1
        if not self.by_peer[peer]:
            del self.by_peer[peer]
        self._accept_again()

    def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(ACCEPT):
            if len(self.open) + len(self._opening) >= self._most:
                log.warning("%d connections are open: further senders of syslog have to wait", self._most)
                self._accept_no_more()
                return
            try:
                sock, _ = self._socket.accept()
            except (BlockingIOError, ConnectionError):  # nobody else waits; or gave up waiting
                return
            except OSError as error:  # no file or memory left for it
                log.error("cannot accept a connection: %s", error.strerror)
                self._accept_no_more()
                loop.call_later(RETRY_S, self._accept_again)
                return
            sock.setblocking(False)
            task = loop.create_task(self._open(sock))
            self._opening.add(task)
            task.add_done_callback(self._opened)

    async def _open(self, sock: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: _Connection(self), sock)
        except OSError:  # it ended before it began
            sock.close()

    def _opened(self, task: asyncio.Task[None]) -> None:
        self._opening.discard(task)
        self._accept_again()

    def _accept_again(self) -> None:
        if self._is_listening and not self._is_accepting and len(self.open) + len(self._opening) < self._most:
            self._is_accepting = True
            asyncio.get_running_loop().add_reader(self._socket.fileno(), self._accept)

    def _accept_no_more(self) -> None:
        if self._is_accepting:
            self._is_accepting = False
            asyncio.get_running_loop().remove_reader(self._socket.fileno())

    def pause(self) -> None:
        """Stop reading from everyone until the spool has caught up: TCP makes the senders wait."""
        if self._is_paused:
            return
        self._is_paused = True
        for connection in self.open:
            connection.pause()
        self.intake.when_room(self._resume)

    @property
    def is_paused(self) -> bool:
        return self._is_paused

    def _resume(self) -> None:
        self._is_paused = False
        for connection in self.open:
            connection.resume()


class _Connection(asyncio.Protocol):
    def __init__(self, server: SyslogTcp) -> None:
        self._server = server
        self._framer = Framer(server.limit)
        self._transport: asyncio.Transport
        self._peer, self._port = "unknown", 0
        self._faults = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._peer, self._port = (self._transport.get_extra_info("peername") or ("unknown", 0))[:2]
        server = self._server
        if server.by_peer[self._peer] >= MOST_OF_ONE_PEER:
            server.intake.counters.refused("connections-of-one-peer", f"{server.receiver} {self._peer}")
            self._transport.abort()
            return
        _keep_alive(self._transport.get_extra_info("socket"))
        server.open.add(self)
        server.by_peer[self._peer] += 1
        if server.is_paused:
            self.pause()

    def data_received(self, data: bytes) -> None:
        self._take(self._framer.feed(data))

    def connection_lost(self, exc: Exception | None) -> None:
        server = self._server
        if self not in server.open:
            return
        server.let_go(self, self._peer)
        self._take(self._framer.close())

    def pause(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def say_goodbye(self) -> None:
        """Tell the sender that we are going, while still listening to what is under way."""
        if not self._transport.is_closing():
            self._transport.write_eof()

    def close(self) -> None:
        self._transport.close()
        self.connection_lost(None)

    def _take(self, messages: list[Message]) -> None:
        if not messages:
            return
        server, now, peer, port = self._server, time.time_ns() // 1000, self._peer, self._port
        counters = server.intake.counters
        if self._framer.faults > self._faults:
            self._faults = self._framer.faults
            counters.refused("octet-count-lost", f"{server.receiver} {peer}")
        for message in messages:
            if message.cut:
                counters.cut(f"{server.receiver} {peer}")
        server.intake.put([Received(raw, now, server.receiver, peer, port, cut) for raw, cut in messages])
        if server.intake.is_full:
            server.pause()


def _keep_alive(sock: socket.socket) -> None:
    """A sender that vanished without a word frees its place within minutes."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_S // 4)
