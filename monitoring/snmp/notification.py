"""Notifications: a datagram in, what the spool keeps of it and what is answered out.

Protocol only: no socket, no clock of its own. The answer to an inform is handed over with
the document and sent by the caller once the document is fsynced.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from monitoring.snmp import ber
from monitoring.snmp.ber import BerError, Element
from monitoring.snmp.pdu import INFORM, read_pdu
from monitoring.snmp.usm import (
    AUTH,
    AUTH_PRIV,
    LEVELS,
    NO_AUTH,
    WINDOW_S,
    Account,
    Clocks,
    Engine,
    Senders,
    decrypt,
    digest_of,
    encrypt,
    is_authentic,
)

RESPONSE, REPORT = 0xA2, 0xA8
REPORTABLE = 4
USM_STATS = "1.3.6.1.6.3.15.1.1"
UNSUPPORTED_LEVEL, NOT_IN_WINDOW, UNKNOWN_USER, UNKNOWN_ENGINE, WRONG_DIGEST = 1, 2, 3, 4, 5
REASONS = {
    UNSUPPORTED_LEVEL: "unsupported-level",
    NOT_IN_WINDOW: "not-in-time-window",
    UNKNOWN_USER: "unknown-user",
    UNKNOWN_ENGINE: "unknown-engine",
    WRONG_DIGEST: "wrong-digest",
}
_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
LONGEST_REJECTED = 512  # octets shown of a datagram that could not be read
LONGEST_OF_STRANGER = 1500  # octets of a PDU that is read of who has no right: one of 64 KiB takes 26 ms and 170 kB


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What came of a datagram. `raw` is for the spool (b"": nothing to keep), `answer` for the sender."""

    raw: bytes = b""
    answer: bytes = b""  # to be sent after `raw` is fsynced
    reason: str = ""  # why it was rejected; then `raw` tells it too
    also: bytes = b""  # a second document: that the sender is another than before


class Notifications:
    """Takes datagrams of any SNMP version. Holds the senders' clocks and a count for its own reports."""

    def __init__(self, accounts: Sequence[Account], engine: Engine) -> None:
        self._users = {a.user.encode(): a for a in accounts if a.user}
        self._communities = {a.community.encode() for a in accounts if a.community}
        self._engine = engine
        self._clocks, self._senders = Clocks(), Senders()
        self._stats = dict.fromkeys(range(1, 7), 0)

    def take(self, datagram: bytes, now: float, peer: str = "") -> Taken:
        """now: monotonic seconds; peer: the address it came from, kept beside what the message says of itself.

        Never raises: what cannot be read is rejected as malformed.
        """
        taken = self._take(datagram, now, peer)
        return replace(taken, raw=_with_peer(taken.raw, peer)) if taken.raw and peer else taken

    def _take(self, datagram: bytes, now: float, peer: str) -> Taken:
        try:
            message = ber.expect(datagram, 0, len(datagram), ber.SEQUENCE)
            version = ber.expect(datagram, message.start, message.end, ber.INTEGER)
            number = ber.integer(datagram, version)
            if number in (0, 1):
                return self._community(datagram, version.end, message.end, "1" if number == 0 else "2c")
            if number == 3:
                return _V3(self, datagram, version.end, message.end, now, peer).take()
        except BerError as error:
            return rejected("malformed", {"detail": str(error), "datagram": datagram[:LONGEST_REJECTED].hex()})
        return rejected("malformed", {"detail": f"SNMP version {number}"})

    def _community(self, datagram: bytes, offset: int, end: int, version: str) -> Taken:
        community = ber.expect(datagram, offset, end, ber.OCTETS)
        pdu = ber.element(datagram, community.end, end)
        facts = {"version": version, "security": {"level": "noAuthNoPriv", "user": "", "engine_id": ""}}
        is_known = datagram[community.start : community.end] in self._communities
        if not is_known and pdu.end - pdu.start > LONGEST_OF_STRANGER:
            detail = f"{pdu.end - pdu.start} octets, not read"
            return rejected("unknown-community", facts | {"detail": detail})
        document = facts | read_pdu(datagram, pdu)
        if not is_known:
            return rejected("unknown-community", document)
        answer = b""
        if pdu.tag == INFORM:  # a response is the same message with another tag (RFC 3416 section 4.2.7)
            answer = _with_tag(datagram, pdu.at, RESPONSE)
        return Taken(raw=_line(document), answer=answer)

    def count(self, stat: int) -> int:
        self._stats[stat] += 1
        return self._stats[stat]


class _V3:
    """One SNMPv3 message on its way through RFC 3414 section 3.2."""

    def __init__(self, owner: Notifications, datagram: bytes, offset: int, end: int, now: float, peer: str) -> None:
        self._owner, self._octets, self._now, self._peer = owner, datagram, now, peer
        header = ber.expect(datagram, offset, end, ber.SEQUENCE)
        message_id = ber.expect(datagram, header.start, header.end, ber.INTEGER)
        size = ber.expect(datagram, message_id.end, header.end, ber.INTEGER)
        flags = ber.expect(datagram, size.end, header.end, ber.OCTETS)
        if flags.end - flags.start != 1:
            raise BerError("flags of a wrong length")
        self._message_id = ber.integer(datagram, message_id)
        if not 0 <= self._message_id < 2**31:
            raise BerError("message id out of range")
        self._flags = datagram[flags.start]
        parameters = ber.expect(datagram, header.end, end, ber.OCTETS)
        self._read_security(ber.expect(datagram, parameters.start, parameters.end, ber.SEQUENCE))
        self._data = ber.element(datagram, parameters.end, end)

    def take(self) -> Taken:
        owner, engine = self._owner, self._owner._engine
        is_ours = self._engine_id == engine.id
        if self._is_reportable and not is_ours:
            if self._engine_id:  # it takes us for somebody else, or for who we were before our data was lost
                return self._refuse(UNKNOWN_ENGINE, None)
            return Taken(answer=self._report(UNKNOWN_ENGINE, None))  # how an inform's sender learns our id: no fault
        if not 5 <= len(self._engine_id) <= 32:
            raise BerError("engine id of a wrong length")
        account = owner._users.get(self._user)
        if account is None:
            return self._refuse(UNKNOWN_USER, None)
        if self._level != account.level:
            return self._refuse(UNSUPPORTED_LEVEL, None)
        if account.level != NO_AUTH and not is_authentic(
            account, self._engine_id, self._octets, self._digest.start, self._digest_octets
        ):
            return self._refuse(WRONG_DIGEST, None)
        if account.level != NO_AUTH and not self._is_timely(is_ours):
            if is_ours and self._is_reportable:  # how an inform's sender learns our clock
                return Taken(answer=self._report(NOT_IN_WINDOW, account))
            return self._refuse(NOT_IN_WINDOW, None)
        return self._deliver(account)

    def _deliver(self, account: Account) -> Taken:
        try:
            scoped = self._scoped(account)
            pdu = _pdu_of(scoped)
            document = self._facts() | read_pdu(scoped, pdu)
        except BerError as error:
            return rejected("decryption-error", self._facts() | {"detail": str(error)})
        answer = b""
        if pdu.tag == INFORM:
            scoped = _with_tag(scoped, pdu.at, RESPONSE)
            answer = self._secured(scoped, account, account.level)
        return Taken(raw=_line(document), answer=answer, also=self._is_another())

    def _is_another(self) -> bytes:
        """The document that says so when an address speaks with an engine it did not have; an inform is for ours."""
        if self._engine_id == self._owner._engine.id or not self._owner._senders.is_new(self._peer, self._engine_id):
            return b""
        known: dict[str, Any] = {"kind": "engine-changed", "peer": self._peer, "oid": "", "name": "", "varbinds": []}
        return _line(self._facts() | known)

    def _read_security(self, security: Element) -> None:
        octets, offset, found = self._octets, security.start, []
        for tag in (ber.OCTETS, ber.INTEGER, ber.INTEGER, ber.OCTETS, ber.OCTETS, ber.OCTETS):
            found.append(ber.expect(octets, offset, security.end, tag))
            offset = found[-1].end
        engine, boots, time_s, user, self._digest, salt = found
        self._engine_id = octets[engine.start : engine.end]
        self._boots, self._time = ber.integer(octets, boots), ber.integer(octets, time_s)
        if not (0 <= self._boots < 2**31 and 0 <= self._time < 2**31):
            raise BerError("boots or time out of range")
        self._user = octets[user.start : user.end]
        self._digest_octets = octets[self._digest.start : self._digest.end]
        self._salt = octets[salt.start : salt.end]

    @property
    def _level(self) -> int:
        return self._flags & AUTH_PRIV

    @property
    def _is_reportable(self) -> bool:
        return bool(self._flags & REPORTABLE)

    def _is_timely(self, is_ours: bool) -> bool:
        engine = self._owner._engine
        if is_ours:
            return self._boots == engine.boots and abs(self._time - engine.time(self._now)) <= WINDOW_S
        return self._owner._clocks.is_timely(self._engine_id, self._boots, self._time, self._now)

    def _scoped(self, account: Account) -> bytes:
        """The scoped PDU in clear. Raises BerError."""
        octets, data = self._octets, self._data
        if account.level != AUTH_PRIV:
            return octets[data.at : data.end]
        if data.tag != ber.OCTETS or len(self._salt) != 8:
            raise BerError("not encrypted as said")
        hidden = octets[data.start : data.end]
        try:
            return decrypt(account, self._engine_id, self._boots, self._time, self._salt, hidden)
        except ValueError as error:  # no whole blocks
            raise BerError(str(error)) from error

    def _facts(self) -> dict[str, Any]:
        user = self._user.decode("utf-8", "backslashreplace")
        security = {
            "level": LEVELS.get(self._level, "noAuthNoPriv"),
            "user": user,
            "engine_id": self._engine_id.hex(),
        }
        return {"version": "3", "security": security}

    def _refuse(self, stat: int, account: Account | None) -> Taken:
        found = rejected(REASONS[stat], self._facts())
        answer = self._report(stat, account) if self._is_reportable else b""
        return Taken(raw=found.raw, reason=found.reason, answer=answer)

    def _report(self, stat: int, account: Account | None) -> bytes:
        """A Report PDU (RFC 3414 section 3.2); authenticated when there is an account to do it with."""
        count = self._owner.count(stat)
        binding = ber.tlv(ber.SEQUENCE, ber.oid_of(f"{USM_STATS}.{stat}.0") + ber.integer_of(count, ber.COUNTER32))
        pdu = ber.tlv(REPORT, ber.integer_of(0) * 3 + ber.tlv(ber.SEQUENCE, binding))
        own = self._owner._engine.id
        scoped = ber.tlv(ber.SEQUENCE, ber.tlv(ber.OCTETS, own) + ber.tlv(ber.OCTETS, b"") + pdu)
        return self._secured(scoped, account, NO_AUTH if account is None else AUTH)

    def _secured(self, scoped: bytes, account: Account | None, level: int) -> bytes:
        """A whole message of ours around a scoped PDU."""
        engine = self._owner._engine
        time_s, salt, digest = engine.time(self._now), b"", b""
        if account is not None and level == AUTH_PRIV:
            salt = secrets.token_bytes(8)
            scoped = ber.tlv(ber.OCTETS, encrypt(account, engine.id, engine.boots, time_s, salt, scoped))
        if account is not None and level != NO_AUTH:
            digest = bytes(len(self._digest_octets))
        message, at = self._message(scoped, level, time_s, digest, salt)
        if account is None or not digest:
            return message
        digest = digest_of(account, engine.id, message)
        return message[:at] + digest + message[at + len(digest) :]

    def _message(self, scoped: bytes, level: int, time_s: int, digest: bytes, salt: bytes) -> tuple[bytes, int]:
        """The message, and the offset at which its digest stands."""
        engine = self._owner._engine
        user = self._user if level != NO_AUTH else b""
        last = ber.tlv(ber.OCTETS, digest) + ber.tlv(ber.OCTETS, salt)
        security = ber.tlv(
            ber.SEQUENCE,
            ber.tlv(ber.OCTETS, engine.id)
            + ber.integer_of(engine.boots)
            + ber.integer_of(time_s)
            + ber.tlv(ber.OCTETS, user)
            + last,
        )
        header = ber.tlv(
            ber.SEQUENCE,
            ber.integer_of(self._message_id)
            + ber.integer_of(65507)
            + ber.tlv(ber.OCTETS, bytes((level,)))
            + ber.integer_of(3),
        )
        front = ber.integer_of(3) + header + ber.tlv(ber.OCTETS, security)
        message = ber.tlv(ber.SEQUENCE, front + scoped)
        at = len(message) - len(scoped) - len(ber.tlv(ber.OCTETS, salt)) - len(digest)
        return message, at


def rejected(reason: str, facts: Mapping[str, Any]) -> Taken:
    """A message that proved no right to be heard, or that cannot be read."""
    known: dict[str, Any] = {"version": "", "oid": "", "name": "", "uptime_ms": None, "security": {}, "varbinds": []}
    return Taken(raw=_line(known | dict(facts) | {"kind": "rejected", "reason": reason}), reason=reason)


def _pdu_of(scoped: bytes) -> Element:
    """The PDU within a scoped PDU; what follows it (padding) is ignored. Raises BerError."""
    outer = ber.expect(scoped, 0, len(scoped), ber.SEQUENCE)
    engine = ber.expect(scoped, outer.start, outer.end, ber.OCTETS)
    context = ber.expect(scoped, engine.end, outer.end, ber.OCTETS)
    return ber.element(scoped, context.end, outer.end)


def _with_tag(octets: bytes, at: int, tag: int) -> bytes:
    return octets[:at] + bytes((tag,)) + octets[at + 1 :]


def _with_peer(raw: bytes, peer: str) -> bytes:
    return b'{"peer":' + json.dumps(peer).encode() + b"," + raw[1:]


def _line(document: Mapping[str, Any]) -> bytes:
    return _ENCODE(document).encode("utf-8", "backslashreplace")
