"""A message as received, and how it stands in a segment.

    4 octets   magic, so that a reader finds the next record after a damaged one
    u32        length of what follows the check sum
    u32        CRC-32 of what follows, seeded with the spool's id: bytes that a sender put
               into a message never pass for a record
    i64        received, microseconds since 1970 UTC
    u32        octets cut off the end by the receiver (0: whole)
    u16        port of the peer
    u8         length of the origin
    origin     "<receiver> <peer address>", ASCII
    raw        the message
All numbers are little endian. Bytes in, records out; no file is touched here.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from canh_native import event_id

MAGIC = b"\xf5\xc4\x01\xfa"  # 0xF5 and 0xFA occur in no UTF-8 text
HEAD = struct.Struct("<4sII")
FIXED = struct.Struct("<qIHB")
MOST_CUT = 2**32 - 1  # an endless line may lose more
SMALLEST = FIXED.size
LARGEST = 16 * 1024 * 1024  # no receiver makes a larger one: a longer length is damage
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Received(NamedTuple):
    """What a receiver hands over. A tuple, because hundreds of thousands are made a second."""

    raw: bytes
    received_us: int  # microseconds since 1970 UTC
    receiver: str  # "syslog-udp", "syslog-tcp", "snmp-trap", "snmp-poll"
    peer: str  # address, as text
    peer_port: int
    cut: int = 0  # octets the receiver cut off the end


class SpoolRecord(NamedTuple):
    """A message as it was received, at its place in the spool. A tuple for the same reason."""

    position: int  # grows from record to record; not dense
    next_position: int  # where reading goes on after this one
    spool_id: UUID
    received: datetime  # aware UTC, microseconds
    peer: str  # address of who sent it, as text
    peer_port: int
    receiver: str  # "syslog-udp", "syslog-tcp", "snmp-trap", "snmp-poll"
    raw: bytes
    cut: int = 0  # octets missing at the end: the message was longer than allowed

    @property
    def event_id(self) -> UUID:
        """The same record gives the same id for ever; a new spool never reuses one."""
        return UUID(self.event_id_text)

    @property
    def event_id_text(self) -> str:
        """The same as text: UUIDv5 of the spool's UUID and the position."""
        return str(event_id(self.spool_id.bytes, self.position))

    @property
    def source(self) -> str:
        """The name under which it is counted: "<receiver> <peer>"."""
        return f"{self.receiver} {self.peer}"


class Damage(NamedTuple):
    """Octets that are no record: [start, end) of the buffer."""

    start: int
    end: int


class Slice(NamedTuple):
    """Where a record stands in a buffer: its start and its end."""

    start: int
    end: int


def microseconds(when: datetime) -> int:
    """Since 1970 UTC."""
    return (when - _EPOCH) // timedelta(microseconds=1)


def seed_of(spool_id: UUID) -> int:
    """The start value of every check sum of this spool."""
    return zlib.crc32(spool_id.bytes)


def encode(record: Received, seed: int) -> bytes:
    """The record as it stands in a segment."""
    origin = _origin(record.receiver, record.peer)
    cut = min(record.cut, MOST_CUT)
    body = FIXED.pack(record.received_us, cut, record.peer_port, len(origin)) + origin + record.raw
    return HEAD.pack(MAGIC, len(body), zlib.crc32(body, seed)) + body


def decode(buffer: bytes, where: Slice, base: int, spool_id: UUID) -> SpoolRecord:
    """The record at a slice that `scan` found valid; `base` is the position of the buffer's first octet."""
    start, end = where
    received_us, cut, port, origin_length = FIXED.unpack_from(buffer, start + HEAD.size)
    origin = start + HEAD.size + FIXED.size
    raw = origin + origin_length
    receiver, peer = _receiver_and_peer(buffer[origin:raw])
    received = _EPOCH + timedelta(0, 0, received_us)
    return SpoolRecord(base + start, base + end, spool_id, received, peer, port, receiver, buffer[raw:end], cut)


def scan(buffer: bytes, seed: int, *, is_last: bool) -> Iterator[Slice | Damage]:
    """The records of a buffer that begins at a record's first octet, in order, and what lies between.

    Ends where the buffer holds no whole record any more. What then remains may be the front of
    a record: with `is_last` nothing follows it, so it is reported as damage.
    """
    offset, size = 0, len(buffer)
    view = memoryview(buffer)
    while offset < size:
        end = _end_of(buffer, view, offset, seed)
        if end > 0:
            yield Slice(offset, end)
            offset = end
            continue
        if end < 0 and not is_last:
            return
        found = _next(buffer, view, offset + 1, seed)
        if found is None and not is_last:
            return
        yield Damage(offset, size if found is None else found)
        offset = size if found is None else found


def arrival_at(buffer: bytes, where: Slice) -> tuple[str, int, int]:
    """Of a record only what is counted: its source, octets of its message, microseconds when it was received."""
    start = where.start + HEAD.size
    received_us, _, _, length = FIXED.unpack_from(buffer, start)
    start += FIXED.size
    source = " ".join(_receiver_and_peer(buffer[start : start + length]))
    return source, where.end - start - length, received_us


def _end_of(buffer: bytes, view: memoryview, offset: int, seed: int) -> int:
    """End of the record at `offset`; -1 when it reaches past the buffer, 0 when it is none."""
    if len(buffer) - offset < HEAD.size:
        return -1 if MAGIC.startswith(buffer[offset : offset + 4]) or buffer.startswith(MAGIC, offset) else 0
    magic, length, check = HEAD.unpack_from(buffer, offset)
    if magic != MAGIC or not SMALLEST <= length <= LARGEST:
        return 0
    start = offset + HEAD.size
    end = start + length
    if end > len(buffer):
        return -1
    return end if zlib.crc32(view[start:end], seed) == check else 0


def _next(buffer: bytes, view: memoryview, offset: int, seed: int) -> int | None:
    """Start of the first whole record at or after `offset`."""
    while (offset := buffer.find(MAGIC, offset)) >= 0:
        if _end_of(buffer, view, offset, seed) > 0:
            return offset
        offset += 1
    return None


@lru_cache(maxsize=65536)
def _origin(receiver: str, peer: str) -> bytes:
    return f"{receiver} {peer}".encode("ascii")


@lru_cache(maxsize=65536)
def _receiver_and_peer(origin: bytes) -> tuple[str, str]:
    receiver, _, peer = origin.decode("ascii", "replace").partition(" ")
    return receiver, peer
