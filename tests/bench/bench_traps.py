"""Notifications: per CPU-second, from the datagram to the spool's document, and from that to the fields of an event.

The floor only walks the datagram's BER and makes nothing of it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from monitoring.parsers import Line
from monitoring.parsers.snmp_trap.parser import parse
from monitoring.snmp import ber
from monitoring.snmp.notification import Notifications
from monitoring.snmp.usm import DIGESTS, Account, Engine, digest_of, encrypt

COMMUNITY = Account(community="public")
USER = Account(user="canh", auth_password="authentic-9", priv_password="secretive-9")
SENDER = bytes.fromhex("8000000001020304")
N = 20_000


def main() -> int:
    notifications = Notifications((COMMUNITY, USER), Engine(id=b"\x80\0\0\0\5ours", boots=1, started=0.0))
    plain, secured = _v2c(), _v3()
    document = notifications.take(plain, 1.0, "10.0.0.1").raw
    line = Line(document.decode(), "", datetime(2026, 11, 22, tzinfo=UTC))
    assert json.loads(document)["name"] == json.loads(notifications.take(secured, 1.0).raw)["name"] == "linkDown"
    print(f"{'':<34}{'per CPU-s':>10}")
    for name, work in (
        ("floor: walk the BER", lambda: _walk(plain, 0, len(plain))),
        ("v2c to document", lambda: notifications.take(plain, 1.0, "10.0.0.1")),
        ("v3 authPriv to document", lambda: notifications.take(secured, 1.0, "10.0.0.1")),
        ("document to fields", lambda: parse(line)),
    ):
        print(f"{name:<34}{_per_s(work):>10,.0f}", flush=True)
    return 0


def _per_s(work: Callable[[], object]) -> float:
    before = time.process_time()
    for _ in range(N):
        work()
    return N / (time.process_time() - before)


def _walk(octets: bytes, offset: int, end: int) -> None:
    while offset < end:
        found = ber.element(octets, offset, end)
        if found.tag & 0x20:
            _walk(octets, found.start, found.end)
        offset = found.end


def _pdu() -> bytes:
    """linkDown with index, both statuses and a name."""

    def bound(oid: str, value: bytes) -> bytes:
        return ber.tlv(ber.SEQUENCE, ber.oid_of(oid) + value)

    bindings = (
        bound("1.3.6.1.2.1.1.3.0", ber.integer_of(4711, ber.TIME_TICKS))
        + bound("1.3.6.1.6.3.1.1.4.1.0", ber.oid_of("1.3.6.1.6.3.1.1.5.3"))
        + bound("1.3.6.1.2.1.2.2.1.1.3", ber.integer_of(3))
        + bound("1.3.6.1.2.1.2.2.1.7.3", ber.integer_of(1))
        + bound("1.3.6.1.2.1.2.2.1.8.3", ber.integer_of(2))
        + bound("1.3.6.1.2.1.31.1.1.1.1.3", ber.tlv(ber.OCTETS, b"eth3"))
    )
    return ber.tlv(0xA7, ber.integer_of(7) + ber.integer_of(0) * 2 + ber.tlv(ber.SEQUENCE, bindings))


def _v2c() -> bytes:
    return ber.tlv(ber.SEQUENCE, ber.integer_of(1) + ber.tlv(ber.OCTETS, b"public") + _pdu())


def _v3() -> bytes:
    salt, size = b"12345678", DIGESTS[USER.auth_protocol]
    scoped = ber.tlv(ber.SEQUENCE, ber.tlv(ber.OCTETS, SENDER) + ber.tlv(ber.OCTETS, b"") + _pdu())
    hidden = ber.tlv(ber.OCTETS, encrypt(USER, SENDER, 1, 1, salt, scoped))
    names = ber.tlv(ber.OCTETS, SENDER) + ber.integer_of(1) * 2 + ber.tlv(ber.OCTETS, b"canh")
    security = ber.tlv(ber.SEQUENCE, names + ber.tlv(ber.OCTETS, bytes(size)) + ber.tlv(ber.OCTETS, salt))
    header = ber.integer_of(7) + ber.integer_of(65507) + ber.tlv(ber.OCTETS, b"\3") + ber.integer_of(3)
    front = ber.integer_of(3) + ber.tlv(ber.SEQUENCE, header) + ber.tlv(ber.OCTETS, security)
    message = ber.tlv(ber.SEQUENCE, front + hidden)
    at = len(message) - len(hidden) - len(ber.tlv(ber.OCTETS, salt)) - size
    return message[:at] + digest_of(USER, SENDER, message) + message[at + size :]


if __name__ == "__main__":
    sys.exit(main())
