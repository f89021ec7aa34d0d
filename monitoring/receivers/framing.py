"""Messages out of a TCP stream (RFC 6587): octet counting or lines, found out per connection.

Bytes in, messages out; no socket here. Memory per connection is bounded by the longest
allowed message: what is longer is cut and the number of octets cut is given with it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_COUNTED = re.compile(rb"[1-9][0-9]{0,8} <")  # RFC 6587 3.4.1; a message begins with its PRI
_MAYBE_COUNTED = re.compile(rb"[1-9][0-9]{0,8} ?")
_COUNT = re.compile(rb"([1-9][0-9]{0,8}) ")
_DIGITS = re.compile(rb"[1-9][0-9]{0,8}")


class Message(NamedTuple):
    raw: bytes
    cut: int  # octets missing at its end


class Framer:
    """One connection's stream. `faults` counts a lost octet count; from there on lines are read."""

    __slots__ = ("_feed", "_head", "_limit", "_need", "_over", "_rest", "faults")

    def __init__(self, limit: int, *, counted: bool = True) -> None:
        """limit: octets of the longest message that is kept whole; counted: False where only lines are spoken."""
        self._limit = limit
        self._feed = self._undecided if counted else self._lines
        self._head = b""  # the front of the stream or of a count, too short to decide
        self._rest = bytearray()  # the front of a message
        self._over = 0  # octets of it beyond the limit, not kept
        self._need = 0  # octets of a counted message still to come
        self.faults = 0

    def feed(self, data: bytes) -> list[Message]:
        """The messages that end within `data`, in order."""
        return self._feed(data) if data else []

    def close(self) -> list[Message]:
        """What the stream ended in the middle of. A counted message lacks what was still to come."""
        messages = [Message(self._head, 0)] if self._head else []
        self._head = b""
        if self._rest or self._over or self._need:
            messages.append(Message(bytes(self._rest), self._over + self._need))
            self._rest.clear()
            self._over = self._need = 0
        return messages

    def _undecided(self, data: bytes) -> list[Message]:
        data = self._head + data
        if _MAYBE_COUNTED.fullmatch(data):
            self._head = data
            return []
        self._head = b""
        self._feed = self._counted if _COUNTED.match(data) else self._lines
        return self._feed(data)

    def _lines(self, data: bytes) -> list[Message]:
        messages = []
        if self._rest or self._over:
            end = data.find(b"\n")
            if end < 0:
                self._hold(data)
                return []
            self._hold(data[:end])
            messages.append(self._held())
            data = data[end + 1 :]
        *lines, rest = data.split(b"\n")
        limit = self._limit
        messages += [Message(x, 0) if len(x) <= limit else Message(x[:limit], len(x) - limit) for x in lines]
        if rest:
            self._hold(rest)
        return messages

    def _counted(self, data: bytes) -> list[Message]:
        messages: list[Message] = []
        if self._head:
            data, self._head = self._head + data, b""
        offset, size = 0, len(data)
        while offset < size:
            if self._need:
                part = data[offset : offset + self._need]
                self._need -= len(part)
                offset += len(part)
                self._hold(part)
                if not self._need:
                    messages.append(self._held())
                continue
            if data[offset] == 0x0A:  # some senders end a counted message with a line feed as well
                offset += 1
                continue
            count = _COUNT.match(data, offset)
            if count is not None:
                offset, self._need = count.end(), int(count[1])
            elif _DIGITS.fullmatch(data, offset):
                self._head = data[offset:]
                return messages
            else:
                self.faults += 1
                self._feed = self._lines
                return messages + self._lines(data[offset:])
        return messages

    def _hold(self, part: bytes) -> None:
        room = self._limit - len(self._rest)
        self._rest += part[:room]
        self._over += max(0, len(part) - room)

    def _held(self) -> Message:
        message = Message(bytes(self._rest), self._over)
        self._rest.clear()
        self._over = 0
        return message
