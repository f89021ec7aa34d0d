"""Syslog over TCP: back-pressure instead of loss, and no client harms another."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from typing import cast

from monitoring.receivers.framing import Framer, Message
from monitoring.receivers.intake import Intake
from monitoring.receivers.sockets import Listen, tcp_listener
from monitoring.spool import Received

MOST_CONNECTIONS = 2000
MOST_OF_ONE_PEER = 200  # a relay needs a few; a client that opens thousands is not one
KEEPALIVE_S = 60
LAST_WORDS_S = 0.2


class SyslogTcp:
    """One listening socket and its connections."""

    receiver = "syslog-tcp"

    def __init__(self, listen: Listen, intake: Intake, *, limit: int) -> None:
        """Binds. limit: octets kept of a message. Raises ReceiverError."""
        self.listen = listen
        self.intake = intake
        self.limit = limit
        self.open: set[_Connection] = set()
        self.by_peer: Counter[str] = Counter()
        self._socket = tcp_listener(listen)
        self._server: asyncio.Server | None = None
        self._is_paused = False

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), sock=self._socket, backlog=1024)

    async def stop(self) -> None:
        """No new connections; the open ones say their last words and are closed."""
        if self._server is None:
            self._socket.close()
            return
        self._server.close()
        for connection in self.open:
            connection.say_goodbye()
        if self.open:
            await asyncio.sleep(LAST_WORDS_S)
        for connection in tuple(self.open):
            connection.close()

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
        reason = (
            "connections-of-all"
            if len(server.open) >= MOST_CONNECTIONS
            else "connections-of-one-peer"
            if server.by_peer[self._peer] >= MOST_OF_ONE_PEER
            else ""
        )
        if reason:
            server.intake.counters.refused(reason, f"{server.receiver} {self._peer}")
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
        server.open.discard(self)
        server.by_peer[self._peer] -= 1
        if not server.by_peer[self._peer]:
            del server.by_peer[self._peer]
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
