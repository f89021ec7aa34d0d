"""The user-based security model of SNMPv3 (RFC 3414, 3826, 7860), as a receiver of notifications needs it.

Bytes in, bytes out. A trap is authenticated with the engine of its sender, an inform with
ours. pysnmp 7.1 was tried and left out: it delivers a trap without any authentication for a user that has
keys, answers an inform before we have stored it, and keeps our engine's boots below /tmp.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from monitoring.durable import read_json, replace_json

NO_AUTH, AUTH, AUTH_PRIV = 0, 1, 3  # msgFlags, RFC 3412 section 6.4
LEVELS = {NO_AUTH: "noAuthNoPriv", AUTH: "authNoPriv", AUTH_PRIV: "authPriv"}
WINDOW_S = 150  # RFC 3414 section 2.2.3
MOST_ENGINES = 50_000
MOST_ENGINES_OF_ONE = 32  # address
DIGESTS = {"md5": 12, "sha1": 12, "sha224": 16, "sha256": 24, "sha384": 32, "sha512": 48}  # octets kept of the HMAC
PRIVACY = {  # octets of the key, and how a digest that is too short is made longer
    "aes128": (16, ""),
    "aes192": (24, "blumenthal"),  # draft-blumenthal-aes-usm-04: net-snmp
    "aes256": (32, "blumenthal"),
    "aes192c": (24, "reeder"),  # draft-reeder-snmpv3-usm-3desede-00: Cisco and those who follow it
    "aes256c": (32, "reeder"),
    "des": (16, ""),  # RFC 3414 section 8: broken, only for an account that says so
}
_KEY_MATERIAL = 1_048_576  # RFC 3414 appendix A.2
_DOCUMENTATION_PEN = 32473  # RFC 5612; we have no enterprise number of our own


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Who may send us notifications and as whom we poll: a v3 user, or a community of v1 and v2c (user "")."""

    user: str = ""
    auth_protocol: str = "sha256"  # one of DIGESTS
    auth_password: str = field(default="", repr=False)
    priv_protocol: str = "aes128"  # one of PRIVACY
    priv_password: str = field(default="", repr=False)  # "" for authNoPriv
    community: str = field(default="", repr=False)
    version: str = "2c"  # how a device is polled with the community: "1" or "2c"

    @property
    def level(self) -> int:
        """The one level this account speaks at: never below what it has keys for."""
        return AUTH_PRIV if self.priv_password else AUTH if self.auth_password else NO_AUTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """Our own SNMP engine: informs are secured with its id and its clock."""

    id: bytes
    boots: int
    started: float  # monotonic seconds

    def time(self, now: float) -> int:
        """Seconds since it booted; `now` is monotonic."""
        return int(now - self.started)


def engine_of(data_dir: Path, now: float) -> Engine:
    """Our engine at its next boot, from `<data>/stats/snmp-engine.json`, made when missing. Raises OSError."""
    path = data_dir / "stats" / "snmp-engine.json"
    saved = read_json(path)
    made = (0x80000000 | _DOCUMENTATION_PEN).to_bytes(4, "big") + b"\x05" + secrets.token_bytes(8)
    identity = bytes.fromhex(str(saved.get("id", ""))) or made
    boots = int(saved.get("boots", 0)) + 1
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_json(path, {"id": identity.hex(), "boots": boots}, durable=True)
    return Engine(id=identity, boots=boots, started=now)


class Clocks:
    """The newest time heard from each sender's engine: what is older than the window is a replay."""

    def __init__(self) -> None:
        self._heard: OrderedDict[bytes, tuple[int, int, float]] = OrderedDict()

    def is_timely(self, engine_id: bytes, boots: int, time_s: int, now: float) -> bool:
        """Whether an *authenticated* message is in its sender's time window; remembers the newest (3.2.7b)."""
        known_boots, known_time, heard = self._heard.get(engine_id, (0, 0, now))
        if boots > known_boots or (boots == known_boots and time_s > known_time):
            self._heard[engine_id] = (boots, time_s, now)
            self._heard.move_to_end(engine_id)
            if len(self._heard) > MOST_ENGINES:
                self._heard.popitem(last=False)
            return boots < 0x7FFFFFFF
        expected = known_time + int(now - heard)
        return boots == known_boots and time_s >= expected - WINDOW_S


class Senders:
    """The engines that spoke from each address, after they proved who they are. Behind NAT there are several."""

    def __init__(self) -> None:
        self._engines: OrderedDict[str, list[bytes]] = OrderedDict()

    def is_new(self, address: str, engine_id: bytes) -> bool:
        """Whether others spoke from this address before, and this one did not; remembers it."""
        known = self._engines.setdefault(address, [])
        if engine_id in known:
            return False
        known.append(engine_id)
        del known[:-MOST_ENGINES_OF_ONE]
        if len(self._engines) > MOST_ENGINES:
            self._engines.popitem(last=False)
        return len(known) > 1


def digest_of(account: Account, engine_id: bytes, message: bytes) -> bytes:
    """The authentication parameters of a message in which they are zero."""
    key = _auth_key(account.auth_protocol, account.auth_password, engine_id)
    return hmac.digest(key, message, account.auth_protocol)[: DIGESTS[account.auth_protocol]]


def is_authentic(account: Account, engine_id: bytes, message: bytes, at: int, digest: bytes) -> bool:
    """Whether `digest`, which stands at offset `at` of the message, is this account's."""
    zeroed = message[:at] + bytes(len(digest)) + message[at + len(digest) :]
    return hmac.compare_digest(digest_of(account, engine_id, zeroed), digest)


def decrypt(account: Account, engine_id: bytes, boots: int, time_s: int, salt: bytes, data: bytes) -> bytes:
    """The scoped PDU; rubbish when the key is not the sender's. Raises ValueError for a length that cannot be."""
    cipher = _cipher(account, engine_id, boots, time_s, salt).decryptor()
    return cipher.update(data) + cipher.finalize()


def encrypt(account: Account, engine_id: bytes, boots: int, time_s: int, salt: bytes, data: bytes) -> bytes:
    """The scoped PDU hidden; with DES padded to its block, which a reader ignores."""
    if account.priv_protocol == "des":
        data += bytes(-len(data) % 8)
    cipher = _cipher(account, engine_id, boots, time_s, salt).encryptor()
    return cipher.update(data) + cipher.finalize()


def _cipher(account: Account, engine_id: bytes, boots: int, time_s: int, salt: bytes) -> Cipher[CFB] | Cipher[CBC]:
    key = _priv_key(account.auth_protocol, account.priv_protocol, account.priv_password, engine_id)
    if account.priv_protocol == "des":
        initial = bytes(a ^ b for a, b in zip(key[8:], salt, strict=True))
        return Cipher(TripleDES(key[:8] * 3), CBC(initial))  # three times the same key is single DES
    return Cipher(AES(key), CFB(boots.to_bytes(4, "big") + time_s.to_bytes(4, "big") + salt))


@lru_cache(maxsize=16384)
def _priv_key(auth_protocol: str, priv_protocol: str, password: str, engine_id: bytes) -> bytes:
    size, how = PRIVACY[priv_protocol]
    key = _auth_key(auth_protocol, password, engine_id)
    last = key
    while len(key) < size:
        if how == "reeder":
            last = _localised(auth_protocol, _stretched(auth_protocol, last), engine_id)
            key += last
        else:
            key += hashlib.new(auth_protocol, key).digest()
    return key[:size]


@lru_cache(maxsize=16384)
def _auth_key(protocol: str, password: str, engine_id: bytes) -> bytes:
    """A password localised to an engine (RFC 3414 section 2.6)."""
    return _localised(protocol, _master_key(protocol, password), engine_id)


@lru_cache(maxsize=64)
def _master_key(protocol: str, password: str) -> bytes:
    return _stretched(protocol, password.encode())


def _localised(protocol: str, master: bytes, engine_id: bytes) -> bytes:
    return hashlib.new(protocol, master + engine_id + master).digest()


def _stretched(protocol: str, octets: bytes) -> bytes:
    repeated = octets * (_KEY_MATERIAL // len(octets) + 1)
    return hashlib.new(protocol, repeated[:_KEY_MATERIAL]).digest()
