"""RELP, version 0: syslog in frames that are answered, here after fsync. rsyslog's omrelp speaks it.

    frame      TXNR SP COMMAND SP DATALEN [SP DATA] LF
    commands   open, syslog, close; our answers are the command "rsp" with the frame's number

A sender keeps what is not answered and sends it again over its next connection: nothing that was
answered is lost when we are killed, and what was kept by then is known (`again`). `Frames` is bytes
in, frames out; memory per connection is bounded as in `framing`.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import NamedTuple

from monitoring.receivers.again import REASON, Follower
from monitoring.receivers.streams import StreamConnection, StreamReceiver
from monitoring.spool import Received

_HEAD = re.compile(rb"([0-9]{1,9}) ([a-zA-Z]{1,32}) ([0-9]{1,9})([ \n])")
_LONGEST_HEAD = 9 + 1 + 32 + 1 + 9 + 1
_OFFERS = b"200 OK\nrelp_version=0\nrelp_software=canh\ncommands=syslog"


class Frame(NamedTuple):
    number: bytes
    command: bytes
    data: bytes
    cut: int  # octets missing at its end


class BrokenStream(Exception):
    """What follows cannot be told apart any more: the connection has to end."""


class Frames:
    """One connection's stream."""

    __slots__ = ("_command", "_head", "_held", "_limit", "_need", "_number", "_over")

    def __init__(self, limit: int) -> None:
        """limit: octets of the longest data that are kept whole."""
        self._limit = limit
        self._head = b""
        self._number = self._command = b""  # of the frame whose data are coming
        self._held = bytearray()
        self._need = -1  # octets of data still to come; -1: between frames
        self._over = 0

    def feed(self, stream: bytes) -> list[Frame]:
        """The frames that end within `stream`, in order. Raises BrokenStream."""
        frames: list[Frame] = []
        stream, self._head = self._head + stream, b""
        at = 0
        while at < len(stream):
            if self._need < 0:
                head = _HEAD.match(stream, at)
                if head is None:
                    self._head = _front(stream[at:])
                    break
                self._number, self._command, self._need = head[1], head[2], int(head[3])
                at = head.end() - (head[4] == b"\n")
            at = self._data(stream, at)
            if not self._need and at < len(stream):
                if stream[at] != 0x0A:
                    raise BrokenStream("a frame does not end where it says")
                at += 1
                frames.append(self._whole())
        return frames

    def _data(self, stream: bytes, at: int) -> int:
        part = stream[at : at + self._need]
        room = self._limit - len(self._held)
        self._held += part[:room]
        self._over += max(0, len(part) - room)
        self._need -= len(part)
        return at + len(part)

    def _whole(self) -> Frame:
        frame = Frame(self._number, self._command, bytes(self._held), self._over)
        self._held.clear()
        self._need, self._over = -1, 0
        return frame


class RelpConnection(StreamConnection):
    """One sender. Its frames are answered in their order: the spool keeps it."""

    answers = True

    def __init__(self, server: StreamReceiver) -> None:
        super().__init__(server)
        self._frames = Frames(server.limit)
        self._is_open = self._is_closed = False
        self._follower: Follower | None = None  # from the first message on
        self._waiting: set[asyncio.Task[None]] = set()  # for fsync

    def data_received(self, data: bytes) -> None:
        try:
            frames = self._frames.feed(data)
        except BrokenStream:
            self.server.refused("relp-frame", self.peer)
            self.abort()
            return
        messages: list[Frame] = []
        for frame in frames:
            if frame.command == b"syslog" and self._is_open:
                messages.append(frame)
                continue
            self._keep(messages)
            messages = []
            self._obey(frame)
        self._keep(messages)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._follower is not None:
            self._follower.end(is_clean=self._is_closed)

    def say_goodbye(self) -> None:
        """What is not answered by now, its sender keeps."""
        if not self.transport.is_closing():
            self.transport.pause_reading()
            self.transport.write(b"0 serverclose 0\n")

    def _obey(self, frame: Frame) -> None:
        if frame.command == b"open":
            if b"syslog" in frame.data:
                self._is_open = True
                self._answer(frame.number, _OFFERS)
            else:
                self._answer(frame.number, b"500 only the command syslog is known here")
        elif frame.command == b"close":
            task = asyncio.get_running_loop().create_task(self._close(frame.number))
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)
        elif self._is_open:
            self._answer(frame.number, b"500 unknown command")
        else:
            self.server.refused("relp-frame", self.peer)
            self.abort()

    def _keep(self, frames: list[Frame]) -> None:
        if not frames:
            return
        server, now = self.server, time.time_ns() // 1000
        messages = [Received(f.data, now, server.receiver, self.peer, self.port, f.cut) for f in frames]
        if self._follower is None:
            self._follower = server.intake.again.follower(server.receiver, self.peer)
        new = self._follower.new(messages)
        if len(new) < len(messages):
            server.refused(REASON, self.peer, len(messages) - len(new))
        for message in new:
            if message.cut:
                server.intake.counters.cut(f"{server.receiver} {self.peer}")
        task = asyncio.get_running_loop().create_task(self._answer_when_kept(frames, messages, new))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)
        if server.intake.is_full:
            server.pause()

    async def _answer_when_kept(self, frames: list[Frame], messages: list[Received], new: list[Received]) -> None:
        intake = self.server.intake
        if not await intake.put_all_kept(new):
            self.abort()
        elif self.transport.is_closing():
            intake.again.left(messages)
        else:
            self.transport.write(b"".join([b"%b rsp 6 200 OK\n" % f.number for f in frames]))

    async def _close(self, number: bytes) -> None:
        """After all answers; our own word on it is a hint that needs no number."""
        own = asyncio.current_task()
        while others := [task for task in self._waiting if task is not own]:
            await asyncio.wait(others)
        if not self.transport.is_closing():
            self._is_closed = True
            self._answer(number, b"")
            self.transport.write(b"0 serverclose 0\n")
            self.transport.close()

    def _answer(self, number: bytes, text: bytes) -> None:
        data = b" " + text if text else b""
        self.transport.write(b"%b rsp %d%b\n" % (number, len(text), data))


def _front(rest: bytes) -> bytes:
    """What may become a frame's head. Raises BrokenStream when it cannot."""
    if len(rest) > _LONGEST_HEAD or not re.fullmatch(rb"[0-9]{1,9}( ([a-zA-Z]{1,32}( [0-9]{0,9})?)?)?", rest):
        raise BrokenStream("this is no frame")
    return rest
