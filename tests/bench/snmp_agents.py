"""Ten thousand SNMP agents in one process: every address of 127.0.0.0/8 at one port is a small router.

    python -m tests.bench.snmp_agents PORT [--v3]

It answers GET, GETNEXT and GETBULK of v2c (any community) and v3 (user canh, SHA-256, AES-128) from one table; the
counters move with the clock. Good for load only: it believes whoever asks.
"""

from __future__ import annotations

import secrets
import socket
import struct
import sys
import time
from bisect import bisect_right
from functools import lru_cache

from monitoring.snmp import ber
from monitoring.snmp.usm import Account, decrypt, digest_of, encrypt

GET, NEXT, RESPONSE, BULK, REPORT = 0xA0, 0xA1, 0xA2, 0xA5, 0xA8
END_OF_VIEW, NO_SUCH = b"\x82\x00", b"\x81\x00"
USER = Account(user="canh", auth_password="authentic-9", priv_password="secretive-9")
IP_PKTINFO = 8
STARTED = time.monotonic()


def _table() -> dict[str, bytes]:
    """A router with four interfaces, one processor, two neighbours."""

    def text(value: str) -> bytes:
        return ber.tlv(ber.OCTETS, value.encode())

    number = ber.integer_of
    rows = {
        "1.3.6.1.2.1.1.1.0": text("Linux router 6.1.0"),
        "1.3.6.1.2.1.1.2.0": ber.oid_of("1.3.6.1.4.1.8072.3.2.10"),
        "1.3.6.1.2.1.1.3.0": number(123456, ber.TIME_TICKS),
        "1.3.6.1.2.1.1.4.0": text("noc"),
        "1.3.6.1.2.1.1.5.0": text("router"),
        "1.3.6.1.2.1.1.6.0": text("here"),
        "1.3.6.1.2.1.2.1.0": number(4),
        "1.3.6.1.2.1.25.3.3.1.2.196608": number(7),
        "1.3.6.1.4.1.2021.4.5.0": number(1_000_000),
        "1.3.6.1.4.1.2021.4.6.0": number(600_000),
        "1.3.6.1.2.1.14.10.1.3.10.0.0.2.0": ber.tlv(ber.IP_ADDRESS, bytes((10, 0, 0, 2))),
        "1.3.6.1.2.1.14.10.1.6.10.0.0.2.0": number(8),
        "1.3.6.1.2.1.15.3.1.2.10.0.0.3": number(6),
    }
    for port in range(1, 5):
        for column, value in {2: text(f"eth{port}"), 3: number(6), 5: number(10**9, ber.GAUGE32), 7: number(1),
                              8: number(1), 13: number(0, ber.COUNTER32), 14: number(0, ber.COUNTER32),
                              19: number(0, ber.COUNTER32), 20: number(0, ber.COUNTER32)}.items():  # fmt: skip
            rows[f"1.3.6.1.2.1.2.2.1.{column}.{port}"] = value
        for column, value in {1: text(f"eth{port}"), 6: b"", 7: b"", 10: b"", 11: b"",
                              15: number(1000, ber.GAUGE32), 18: text("link")}.items():  # fmt: skip
            rows[f"1.3.6.1.2.1.31.1.1.1.{column}.{port}"] = value or number(10**12, ber.COUNTER64)
    return rows


TABLE = _table()
ORDER = sorted(TABLE, key=lambda oid: tuple(map(int, oid.split("."))))
KEYS = [tuple(map(int, oid.split("."))) for oid in ORDER]
ROWS = [ber.tlv(ber.SEQUENCE, ber.oid_of(oid) + TABLE[oid]) for oid in ORDER]


@lru_cache(maxsize=4096)
def bindings(kind: int, repetitions: int, asked: bytes, _second: int) -> bytes:
    """The answer to a list of variable bindings, the same for ten seconds."""
    found, offset = [], 0
    while offset < len(asked):
        binding = ber.expect(asked, offset, len(asked), ber.SEQUENCE)
        name = ber.expect(asked, binding.start, binding.end, ber.OID)
        oid = ber.oid(asked, name)
        offset = binding.end
        if kind == GET:
            found.append(ber.tlv(ber.SEQUENCE, ber.oid_of(oid) + _value(oid)))
            continue
        at = bisect_right(KEYS, tuple(map(int, oid.split("."))))
        rows = ROWS[at : at + (repetitions if kind == BULK else 1)]
        found += rows or [ber.tlv(ber.SEQUENCE, ber.oid_of(oid) + END_OF_VIEW)]
    return b"".join(found)


def _value(oid: str) -> bytes:
    moving = int((time.monotonic() - STARTED) * 1000)
    if oid == "1.3.6.1.2.1.1.3.0":
        return ber.integer_of(100_000 + moving // 10, ber.TIME_TICKS)
    if oid.startswith(("1.3.6.1.2.1.31.1.1.1.6.", "1.3.6.1.2.1.31.1.1.1.10.")):
        return ber.integer_of(10**12 + moving * 1000, ber.COUNTER64)
    return TABLE.get(oid, NO_SUCH)


def answered(buffer: bytes, pdu: ber.Element) -> bytes:
    """The response PDU to a request PDU."""
    number = ber.expect(buffer, pdu.start, pdu.end, ber.INTEGER)
    first = ber.expect(buffer, number.end, pdu.end, ber.INTEGER)
    second = ber.expect(buffer, first.end, pdu.end, ber.INTEGER)
    asked = ber.expect(buffer, second.end, pdu.end, ber.SEQUENCE)
    repetitions = ber.integer(buffer, second) if pdu.tag == BULK else 0
    found = bindings(pdu.tag, repetitions, buffer[asked.start : asked.end], int(time.monotonic() / 10))
    head = buffer[number.at : number.end] + b"\x02\x01\x00\x02\x01\x00"
    return ber.tlv(RESPONSE, head + ber.tlv(ber.SEQUENCE, found))


def v2c(buffer: bytes) -> bytes:
    whole = ber.element(buffer, 0, len(buffer))
    version = ber.element(buffer, whole.start, whole.end)
    community = ber.element(buffer, version.end, whole.end)
    pdu = ber.element(buffer, community.end, whole.end)
    return ber.tlv(ber.SEQUENCE, buffer[version.at : community.end] + answered(buffer, pdu))


def v3(buffer: bytes, address: bytes) -> bytes:
    """Discovery and requests; the engine's id is made of its address, its clock is the process's."""
    whole = ber.element(buffer, 0, len(buffer))
    version = ber.element(buffer, whole.start, whole.end)
    header = ber.element(buffer, version.end, whole.end)
    number = ber.element(buffer, header.start, header.end)
    size = ber.element(buffer, number.end, header.end)
    flags = buffer[ber.element(buffer, size.end, header.end).start]
    security = ber.element(buffer, header.end, whole.end)
    parts, offset = [], ber.element(buffer, security.start, security.end).start
    for _ in range(6):
        parts.append(ber.element(buffer, offset, security.end))
        offset = parts[-1].end
    data = ber.element(buffer, security.end, whole.end)
    engine, boots, seconds = b"\x80\0\x1f\x88\1" + address, 1, int(time.monotonic() - STARTED) + 1000
    said_boots, said_time = ber.integer(buffer, parts[1]), ber.integer(buffer, parts[2])
    message_id = buffer[number.at : number.end]
    if parts[0].start == parts[0].end:
        return _message(message_id, engine, boots, seconds, 0, _report(engine, 4))
    if said_boots != boots or abs(said_time - seconds) > 150:
        return _message(message_id, engine, boots, seconds, flags & 1, _report(engine, 2))
    plain = buffer[data.at : data.end]
    if flags & 2:
        salt = buffer[parts[5].start : parts[5].end]
        plain = decrypt(USER, engine, said_boots, said_time, salt, buffer[data.start : data.end])
    outer = ber.element(plain, 0, len(plain))
    context = ber.element(plain, ber.element(plain, outer.start, outer.end).end, outer.end)
    pdu = ber.element(plain, context.end, outer.end)
    if pdu.start == pdu.end or ber.element(plain, ber.element(plain, pdu.start, pdu.end).end, pdu.end).tag != 2:
        return b""
    answer = ber.tlv(ber.SEQUENCE, plain[outer.start : context.end] + answered(plain, pdu))
    return _message(message_id, engine, boots, seconds, flags & 3, answer)


def _report(engine: bytes, stat: int) -> bytes:
    binding = ber.tlv(ber.SEQUENCE, ber.oid_of(f"1.3.6.1.6.3.15.1.1.{stat}.0") + ber.integer_of(1, ber.COUNTER32))
    pdu = ber.tlv(REPORT, ber.integer_of(0) * 3 + ber.tlv(ber.SEQUENCE, binding))
    return ber.tlv(ber.SEQUENCE, ber.tlv(ber.OCTETS, engine) + ber.tlv(ber.OCTETS, b"") + pdu)


def _message(message_id: bytes, engine: bytes, boots: int, seconds: int, level: int, scoped: bytes) -> bytes:
    salt, digest = b"", bytes(24) if level & 1 else b""
    if level & 2:
        salt = secrets.token_bytes(8)
        scoped = ber.tlv(ber.OCTETS, encrypt(USER, engine, boots, seconds, salt, scoped))
    user = b"canh" if level & 1 else b""
    last = ber.tlv(ber.OCTETS, salt)
    security = ber.tlv(
        ber.SEQUENCE,
        ber.tlv(ber.OCTETS, engine) + ber.integer_of(boots) + ber.integer_of(seconds) + ber.tlv(ber.OCTETS, user)
        + ber.tlv(ber.OCTETS, digest) + last,
    )  # fmt: skip
    header = message_id + ber.integer_of(65507) + ber.tlv(ber.OCTETS, bytes((level,))) + ber.integer_of(3)
    front = ber.integer_of(3) + ber.tlv(ber.SEQUENCE, header) + ber.tlv(ber.OCTETS, security)
    message = ber.tlv(ber.SEQUENCE, front + scoped)
    if not digest:
        return message
    at = len(message) - len(scoped) - len(last) - len(digest)
    return message[:at] + digest_of(USER, engine, message) + message[at + len(digest) :]


def main(port: int) -> None:
    """Until killed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        sock.bind(("0.0.0.0", port))
        print(sock.getsockname()[1], flush=True)
        while True:
            buffer, extra, _, peer = sock.recvmsg(65535, 64)
            if not peer[0].startswith("127."):
                continue
            address = extra[0][2][8:12]  # struct in_pktinfo: interface, our address, theirs
            try:
                answer = v3(buffer, address) if buffer[buffer.index(b"\x02\x01") + 2] == 3 else v2c(buffer)
            except (ber.BerError, ValueError):
                continue
            if answer:
                source = (socket.IPPROTO_IP, IP_PKTINFO, struct.pack("=i4s4s", 0, address, address))
                sock.sendmsg([answer], [source], 0, peer)


if __name__ == "__main__":
    main(int(sys.argv[1]))
