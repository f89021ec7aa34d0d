"""Traps and informs over UDP: a thin shell around `notification`."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from typing import Any

from monitoring.receivers.again import REASON
from monitoring.receivers.intake import Intake
from monitoring.receivers.sockets import Listen
from monitoring.receivers.udp import UdpReceiver
from monitoring.snmp.notification import LONGEST_REJECTED, Notifications, Taken, rejected
from monitoring.spool import Received

RECEIVER = "snmp-trap"
DRAIN = 16  # datagrams a wake-up: one of a thousand values takes 8 ms, and syslog has its turn after that

log = logging.getLogger("canh.collect")


class TrapReceiver(UdpReceiver):
    """One bound socket. An inform is answered when, and only when, it is fsynced; one that comes again is kept once."""

    receiver = RECEIVER
    drain = DRAIN

    def __init__(
        self,
        listen: Listen,
        intake: Intake,
        notifications: Notifications,
        *,
        receive_buffer: int,
        sock: socket.socket | None = None,
    ) -> None:
        """Binds, unless `sock` is bound already. Raises ReceiverError."""
        super().__init__(listen, intake, receive_buffer=receive_buffer, sock=sock)
        self._notifications = notifications
        self._answering: set[asyncio.Task[None]] = set()
        self._keeping: set[tuple[str, bytes]] = set()  # informs that are not fsynced yet

    def take(self, datagrams: list[tuple[bytes, Any]]) -> None:
        messages = []
        for datagram, peer in datagrams:
            taken = self._taken(datagram, peer)
            if taken.reason:
                self.intake.counters.refused(taken.reason, f"{RECEIVER} {peer[0]}")
            if taken.also:
                messages.append(Received(taken.also, time.time_ns() // 1000, RECEIVER, peer[0], peer[1]))
            message = Received(taken.raw, time.time_ns() // 1000, RECEIVER, peer[0], peer[1])
            if taken.raw and taken.answer and not taken.reason:
                self._answer_later(message, taken, peer)
                continue
            if taken.raw:
                messages.append(message)
            if taken.answer:
                self._send(taken.answer, peer)
        if messages:
            self.intake.put_or_drop(messages)

    def _taken(self, datagram: bytes, peer: Any) -> Taken:
        """A defect of ours is kept and counted as a rejected message: the others of the batch must not be lost."""
        try:
            return self._notifications.take(datagram, time.monotonic(), peer[0])
        except Exception:
            log.exception("a notification of %s cannot be read: a defect", peer[0])
            return rejected("defect", {"datagram": datagram[:LONGEST_REJECTED].hex()})

    def _answer_later(self, message: Received, taken: Taken, peer: Any) -> None:
        task = asyncio.get_running_loop().create_task(self._keep_then_answer(message, taken.answer, peer))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _keep_then_answer(self, message: Received, answer: bytes, peer: Any) -> None:
        """Without an answer the sender tries again, so nothing is lost when the spool refuses."""
        again, key = self.intake.again, (message.peer, message.raw)
        if key in self._keeping or again.has_inform(*key):
            self.intake.counters.refused(REASON, f"{RECEIVER} {peer[0]}")
            if key not in self._keeping:
                self._send(answer, peer)
            return
        self._keeping.add(key)
        try:
            is_kept = await self.intake.put_kept(message)
        finally:
            self._keeping.discard(key)
        if is_kept:
            again.kept_inform(*key)
            self._send(answer, peer)

    def _send(self, answer: bytes, peer: Any) -> None:
        try:
            self.socket.sendto(answer, peer)
        except (BlockingIOError, OSError):  # as if the network had lost it; the sender asks again
            self.intake.counters.refused("answer-not-sent", f"{RECEIVER} {peer[0]}")
