"""The part of BER that SNMP uses (X.690; RFC 3417 section 8): bytes in, values out, and back."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

INTEGER, OCTETS, NULL, OID, SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30
IP_ADDRESS, COUNTER32, GAUGE32, TIME_TICKS, OPAQUE, COUNTER64 = 0x40, 0x41, 0x42, 0x43, 0x44, 0x46
LONGEST_OID = 128  # arcs, RFC 2578 section 3.5


class BerError(ValueError):
    """The octets are not what they should be."""


class Element(NamedTuple):
    """A tag, where it stands in the buffer, and from where to where its content."""

    tag: int
    at: int
    start: int
    end: int


def element(buffer: bytes, offset: int, end: int) -> Element:
    """The element at `offset`, which must lie within `end`. Raises BerError."""
    if offset + 2 > end:
        raise BerError("ends too early")
    tag, length = buffer[offset], buffer[offset + 1]
    start = offset + 2
    if length & 0x80:
        octets = length & 0x7F
        if not 1 <= octets <= 4 or start + octets > end:
            raise BerError("length is not definite or too long")
        length = int.from_bytes(buffer[start : start + octets], "big")
        start += octets
    if start + length > end:
        raise BerError("longer than what holds it")
    return Element(tag, offset, start, start + length)


def expect(buffer: bytes, offset: int, end: int, tag: int) -> Element:
    """The element at `offset`, which must have `tag`. Raises BerError."""
    found = element(buffer, offset, end)
    if found.tag != tag:
        raise BerError(f"tag {found.tag:#04x} where {tag:#04x} belongs")
    return found


def integer(buffer: bytes, where: Element) -> int:
    """A signed integer. Raises BerError when it has none or too many octets."""
    if not 1 <= where.end - where.start <= 9:
        raise BerError("integer of a wrong length")
    return int.from_bytes(buffer[where.start : where.end], "big", signed=True)


def oid(buffer: bytes, where: Element) -> str:
    """An object identifier, dotted. Raises BerError."""
    if where.start == where.end or where.end - where.start > 5 * LONGEST_OID:
        raise BerError("object identifier of a wrong length")
    return _dotted(buffer[where.start : where.end])


@lru_cache(maxsize=8192)
def _dotted(octets: bytes) -> str:
    """The same few thousand come again and again."""
    arcs: list[int] = []
    value = 0
    for octet in octets:
        value = value << 7 | octet & 0x7F
        if octet & 0x80:
            continue
        if not arcs:
            first = min(value // 40, 2)
            arcs = [first, value - 40 * first]
        else:
            arcs.append(value)
        value = 0
    if octets[-1] & 0x80 or len(arcs) > LONGEST_OID:
        raise BerError("object identifier is cut or too long")
    return ".".join(map(str, arcs))


def tlv(tag: int, content: bytes) -> bytes:
    """An element with its length in front."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def integer_of(value: int, tag: int = INTEGER) -> bytes:
    """A non-negative integer as an element."""
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def oid_of(dotted: str) -> bytes:
    """An object identifier as an element."""
    first, second, *rest = map(int, dotted.split("."))
    content = b"".join(map(_arc, (40 * first + second, *rest)))
    return tlv(OID, content)


def _arc(value: int) -> bytes:
    octets = [value & 0x7F]
    while value := value >> 7:
        octets.append(0x80 | value & 0x7F)
    return bytes(reversed(octets))
