"""A device asked with gufo-snmp: version, credentials, chunks, and what its silence or refusal means."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from gufo.snmp import (
    Aes128Key,
    Aes192Key,
    Aes256Key,
    DesKey,
    KeyExpansion,
    Md5Key,
    NoSuchInstance,
    Sha1Key,
    Sha224Key,
    Sha256Key,
    Sha384Key,
    Sha512Key,
    SnmpAuthError,
    SnmpError,
    SnmpVersion,
    User,
)
from gufo.snmp.aio import SnmpSession
from gufo.snmp.user import KeyType

from monitoring.snmp.usm import PRIVACY, Account

TIMEOUT_S = 2.0
MOST_OIDS = 40  # of a request: the answer fits a packet of 1,500 octets as a rule
FEWEST_OIDS = 5
MOST_ROWS = 20_000  # of a column: a device that never ends is not asked for ever
LONGEST_S = 60.0  # of a conversation: one that answers late to every question must not hold up the others for hours
AUTH_KEYS = {
    "md5": Md5Key,
    "sha1": Sha1Key,
    "sha224": Sha224Key,
    "sha256": Sha256Key,
    "sha384": Sha384Key,
    "sha512": Sha512Key,
}
PRIV_KEYS = {16: Aes128Key, 24: Aes192Key, 32: Aes256Key}


class Unanswered(Exception):
    """A device did not answer, or not as it should. reason: timeout, authentication, unreachable or error."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


@dataclass(slots=True)
class Address:
    """Where a device is, as whom to ask it, and what was learnt about asking it."""

    host: str
    port: int
    account: Account
    engine_id: bytes = b""  # learnt: saves a round trip
    most_oids: int = field(default=MOST_OIDS)  # fewer for one that says "too big"


class Session:
    """One conversation: `profile.Ask` for a device. Raises Unanswered everywhere."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._until = time.monotonic() + LONGEST_S
        self._session = self._connected()

    def _connected(self) -> SnmpSession:
        address, account = self.address, self.address.account
        common: dict[str, Any] = {"port": address.port, "timeout": TIMEOUT_S}
        try:
            if account.user:
                engine = address.engine_id or None
                return SnmpSession(address.host, user=_user(account), engine_id=engine, **common)
            version = SnmpVersion.v1 if account.version == "1" else SnmpVersion.v2c
            return SnmpSession(address.host, community=account.community, version=version, **common)
        except (OSError, ValueError) as error:
            raise Unanswered("unreachable", text(error)) from error

    async def open(self) -> None:
        """Learn the engine's clock (v3), and the engine where it is not known.

        An agent that has another engine now is not understood by the library: as if it were silent, or refused. So the
        next try finds the engine out anew.
        """
        address = self.address
        if address.account.user:
            address.engine_id, known = b"", address.engine_id
            found = await self._refreshed()
            address.engine_id = found or known

    async def _refreshed(self) -> bytes:
        try:
            await self._session.refresh()
            return bytes(self._session.get_engine_id())
        except Exception as error:  # the library's family has no common root
            raise _unanswered(error) from error

    async def get(self, oids: Sequence[str]) -> Mapping[str, Any]:
        """Values by OID, in as many requests as it takes."""
        found: dict[str, Any] = {}
        at, address = 0, self.address
        while at < len(oids):
            part = oids[at : at + address.most_oids]
            self._check_time()
            try:
                found |= await self._session.get_many(part)
            except NoSuchInstance:
                pass
            except SnmpAuthError as error:
                raise _unanswered(error) from error
            except SnmpError as error:  # too big, or a v1 agent that refuses all for one it has not
                if len(part) <= 1:
                    if address.account.version != "1":
                        raise _unanswered(error) from error
                else:
                    address.most_oids = max(1 if address.account.version == "1" else FEWEST_OIDS, len(part) // 2)
                    if len(part) > address.most_oids:
                        continue
                    raise _unanswered(error) from error
            except Exception as error:
                raise _unanswered(error) from error
            at += len(part)
        return found

    async def walk(self, column: str, rows: int) -> Mapping[str, Any]:
        """Values by index; empty for a column the device has not."""
        found: dict[str, Any] = {}
        session = self._session
        start = len(column) + 1
        is_v1 = not self.address.account.user and self.address.account.version == "1"
        pairs = session.getnext(column) if is_v1 else session.getbulk(column, rows)
        self._check_time()
        try:
            async for oid, value in pairs:
                index = oid[start:]
                if index in found or len(found) >= MOST_ROWS:  # it goes in circles, or does not end
                    break
                found[index] = value
                self._check_time()
        except NoSuchInstance:
            pass
        except Unanswered:
            raise
        except Exception as error:
            raise _unanswered(error) from error
        return found

    def _check_time(self) -> None:
        if time.monotonic() > self._until:
            raise Unanswered("timeout", f"not done within {LONGEST_S:.0f} s")


def text(error: Exception) -> str:
    return str(error) or type(error).__name__


def _unanswered(error: Exception) -> Unanswered:
    if isinstance(error, TimeoutError):
        return Unanswered("timeout", f"no answer within {TIMEOUT_S:.0f} s")
    if isinstance(error, SnmpAuthError):
        return Unanswered("authentication", str(error) or "the device does not accept our user or keys")
    if isinstance(error, OSError):
        return Unanswered("unreachable", text(error))
    return Unanswered("error", text(error))  # an answer the library could make no sense of


@lru_cache(maxsize=256)
def _user(account: Account) -> User:
    """The account with its passwords already hashed: that takes milliseconds, once instead of every poll."""
    if not account.auth_password:
        return User(account.user)
    auth = AUTH_KEYS[account.auth_protocol]
    auth_key = auth(auth.get_master_key(account.auth_password.encode()), key_type=KeyType.Master)
    if not account.priv_password:
        return User(account.user, auth_key=auth_key)
    size, how = PRIVACY[account.priv_protocol]
    key = DesKey if account.priv_protocol == "des" else PRIV_KEYS[size]
    priv_key = key(auth.get_master_key(account.priv_password.encode()), key_type=KeyType.Master)
    if how == "reeder":
        return User(account.user, auth_key=auth_key, priv_key=priv_key, key_expansion=KeyExpansion.Cisco)
    return User(account.user, auth_key=auth_key, priv_key=priv_key)
