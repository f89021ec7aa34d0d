"""UDP receivers: every wake-up empties the socket."""

from __future__ import annotations

import asyncio
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from monitoring.receivers.counters import Counters
from monitoring.receivers.intake import Intake
from monitoring.receivers.sockets import Listen, cookie, kernel_drops, udp_socket
from monitoring.spool import Received

DRAIN = 512  # datagrams a wake-up; then the others on the loop have their turn
LARGEST_DATAGRAM = 65535
LAST_DRAIN_S = 1.0  # enough for a full buffer of the largest size asked for


class UdpReceiver(ABC):
    """One bound socket; what a datagram means is for the class below. Belongs to the event loop's thread."""

    receiver: str
    drain = DRAIN

    def __init__(
        self, listen: Listen, intake: Intake, *, receive_buffer: int, sock: socket.socket | None = None
    ) -> None:
        """Binds, unless `sock` is bound already. Raises ReceiverError."""
        self.listen = listen
        self.intake = intake
        self.socket = udp_socket(listen, receive_buffer) if sock is None else sock
        self._took: Callable[[], None] = _nothing

    @abstractmethod
    def take(self, datagrams: list[tuple[bytes, Any]]) -> None:
        """Datagrams and their peers (address, port, ...), in order of arrival; never empty."""

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    @property
    def receive_buffer(self) -> int:
        """What the kernel gave; less than asked for without CAP_NET_ADMIN."""
        return self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    def start(self) -> None:
        asyncio.get_running_loop().add_reader(self.socket.fileno(), self._drain)

    def stop(self) -> None:
        """Take what has arrived; then no more. `close` follows when nothing is to be answered any more.

        Under a flood more arrives than is taken, so it ends after LAST_DRAIN_S in any case.
        """
        asyncio.get_running_loop().remove_reader(self.socket.fileno())
        until = time.monotonic() + LAST_DRAIN_S
        while self._drain() and time.monotonic() < until:
            pass

    def close(self) -> None:
        self.socket.close()

    def count_kernel_drops(self, counters: Counters) -> None:
        """Bring the counters up to what the kernel dropped. Whose they were, nobody knows."""
        counters.kernel_dropped(cookie(self.socket), kernel_drops(self.socket), f"{self.receiver} unknown")

    def _drain(self) -> int:
        """Everything that waits, up to `drain`; returns how many it was."""
        receive, took = self.socket.recvfrom, self._took
        datagrams: list[tuple[bytes, Any]] = []
        try:
            for _ in range(self.drain):
                datagrams.append(receive(LARGEST_DATAGRAM))
                took()
        except OSError:  # nothing more waits; or the ICMP error of an answer, which must not stop a receiver
            pass
        if datagrams:
            self.take(datagrams)
        return len(datagrams)


class SyslogUdp(UdpReceiver):
    """Syslog, one message a datagram (RFC 5426)."""

    receiver = "syslog-udp"

    def __init__(
        self, listen: Listen, intake: Intake, *, limit: int, receive_buffer: int, sock: socket.socket | None = None
    ) -> None:
        """Binds, unless `sock` is bound already. limit: octets kept of a message. Raises ReceiverError."""
        super().__init__(listen, intake, receive_buffer=receive_buffer, sock=sock)
        self._limit = limit
        self._took = intake.took(self.receiver)

    def take(self, datagrams: list[tuple[bytes, Any]]) -> None:
        now, receiver, limit = time.time_ns() // 1000, self.receiver, self._limit
        messages = [Received(raw, now, receiver, peer[0], peer[1]) for raw, peer in datagrams]
        for index, message in enumerate(messages):
            if len(message.raw) > limit:
                self.intake.counters.cut(f"{receiver} {message.peer}")
                messages[index] = message._replace(raw=message.raw[:limit], cut=len(message.raw) - limit)
        self.intake.put_or_drop(messages, are_counted=True)


def _nothing() -> None:
    """Where a datagram is not always a message: counted when it has become one."""
