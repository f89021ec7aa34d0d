"""Polling of devices by SNMPv3, staggered over the period, with back-off for the dead.

The effects are here: sessions, clock, tasks. What an answer means is `polling`'s.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gufo.snmp import (
    Aes128Key,
    Md5Key,
    NoSuchInstance,
    Sha1Key,
    Sha224Key,
    Sha256Key,
    Sha384Key,
    Sha512Key,
    SnmpAuthError,
    SnmpError,
    User,
)
from gufo.snmp.aio import SnmpSession
from gufo.snmp.user import KeyType

from inventory.model import Province
from monitoring.receivers.intake import Intake
from monitoring.snmp.polling import INTERFACES, INTERFACES_MORE, SYSTEM, Sample, failure_record, records_of, sample_of
from monitoring.snmp.usm import Account
from monitoring.spool import Received

RECEIVER = "snmp-poll"
TIMEOUT_S = 2.0
TRIES = 3
AT_ONCE = 64
REPETITIONS = 40
LONGEST_PAUSE_PERIODS = 8  # a dead device is asked at least every eighth time
AUTH_KEYS = {
    "md5": Md5Key,
    "sha1": Sha1Key,
    "sha224": Sha224Key,
    "sha256": Sha256Key,
    "sha384": Sha384Key,
    "sha512": Sha512Key,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    device: str
    address: str
    port: int = 161


def targets_of(province: Province) -> tuple[Target, ...]:
    """Every device, at the address it has in band."""
    return tuple(Target(device=d.name, address=str(d.service_address)) for d in province.devices.values())


class Poller:
    """Polls for ever; each answer and each missing answer is a spool record."""

    def __init__(self, targets: Sequence[Target], account: Account, intake: Intake, *, period_s: float) -> None:
        self.targets = tuple(targets)
        self.period_s = period_s
        self._intake = intake
        self._user = _user(account)
        self._at_once = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Until cancelled."""
        step_s = self.period_s / max(1, len(self.targets))
        async with asyncio.TaskGroup() as group:
            for index, target in enumerate(self.targets):
                group.create_task(self._poll_for_ever(target, index * step_s))

    async def _poll_for_ever(self, target: Target, first_s: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + first_s
        before: Sample | None = None
        failures = 0
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            async with self._at_once:
                sample, reason, detail = await self.ask(target)
            if sample is not None:
                failures = 0
                self._put(target, records_of(target.device, before, sample))
                before = sample
            else:
                failures += 1
                self._put(target, [failure_record(target.device, reason, detail, failures)])
            self._intake.counters.polls["up" if sample else "down"] += 1
            due = max(due + self.period_s * min(2 ** max(0, failures - 1), LONGEST_PAUSE_PERIODS), loop.time())

    async def ask(self, target: Target) -> tuple[Sample | None, str, str]:
        """What the device answers; or None, the reason and its detail."""
        for _ in range(TRIES):
            started = time.monotonic()
            try:
                answer = await self._walk(target)
                return sample_of(answer, at=started, took_s=time.monotonic() - started), "", ""
            except TimeoutError:
                continue
            except SnmpAuthError as error:
                return None, "authentication", _text(error, "the device does not accept our user or keys")
            except SnmpError as error:
                return None, "error", _text(error, type(error).__name__)
            except OSError as error:
                return None, "unreachable", _text(error, type(error).__name__)
            except (ValueError, RuntimeError) as error:  # the library could not make sense of the answer
                return None, "error", _text(error, type(error).__name__)
        return None, "timeout", f"no answer in {TRIES} tries of {TIMEOUT_S:.0f} s"

    async def _walk(self, target: Target) -> dict[str, Any]:
        session = SnmpSession(
            target.address, port=target.port, user=self._user, timeout=TIMEOUT_S, max_repetitions=REPETITIONS
        )
        async with session:
            answer: dict[str, Any] = await session.get_many(SYSTEM)
            for table in (INTERFACES, INTERFACES_MORE):
                try:
                    async for oid, value in session.fetch(table):
                        answer[oid] = value
                except NoSuchInstance:  # a device without this table
                    continue
        return answer

    def _put(self, target: Target, documents: Sequence[bytes]) -> None:
        now = time.time_ns() // 1000
        self._intake.put_or_drop([Received(d, now, RECEIVER, target.address, target.port) for d in documents])


def _user(account: Account) -> User:
    """The account with its passwords already hashed: that takes milliseconds, once instead of every poll."""
    auth = AUTH_KEYS[account.auth_protocol]
    auth_key = auth(auth.get_master_key(account.auth_password.encode()), key_type=KeyType.Master)
    if not account.priv_password:
        return User(account.user, auth_key=auth_key)
    priv_key = Aes128Key(auth.get_master_key(account.priv_password.encode()), key_type=KeyType.Master)
    return User(account.user, auth_key=auth_key, priv_key=priv_key)


def _text(error: Exception, otherwise: str) -> str:
    return str(error) or otherwise
