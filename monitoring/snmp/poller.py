"""Polling: each device at its moment of the period, the dead less often and never at the expense of the living.

The effects are here: sessions, clock, tasks. What is asked is `profile`'s, what an answer means `polling`'s.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inventory.model import Province
from monitoring.receivers.intake import Intake
from monitoring.snmp import known, neighbours
from monitoring.snmp.accounts import Accounts
from monitoring.snmp.interfaces import Uplink
from monitoring.snmp.polling import Memory, Reading, documents_of, failure_record, has_changed
from monitoring.snmp.profile import (
    BGP_STATE,
    FEW,
    LLDP_CHASSIS,
    LLDP_NAME,
    LLDP_PORT,
    OSPF_ID,
    OSPF_STATE,
    Profile,
    discover,
)
from monitoring.snmp.session import Address, Session, Unanswered
from monitoring.spool import Received

RECEIVER = "snmp-poll"
TRIES = 3
SAMPLE_S = 300.0  # of interface counters: the 5 minutes of the 95th percentile
DISCOVER_S = 3600.0
YOUNG_MS = 15 * 60 * 1000
SAVE_S = 60.0
AT_ONCE = 128  # devices that answered last time
DOUBTFUL_AT_ONCE = 64  # those that did not: many of them, waiting for nothing, must not hold up the others
LONGEST_PAUSE_PERIODS = 8  # a dead device is asked at least every eighth time

log = logging.getLogger("canh.collect")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    device: str
    address: str
    port: int = 161
    uplinks: Mapping[str, Uplink] = field(default_factory=dict)  # by interface


def targets_of(province: Province) -> tuple[Target, ...]:
    """Every device, at the address it has in band, with what the inventory knows of its links."""
    return tuple(
        Target(device=d.name, address=str(d.service_address), uplinks=_uplinks(province, d.name))
        for d in province.devices.values()
    )


@dataclass(slots=True)
class _Polled:
    """A device between two polls."""

    target: Target
    address: Address
    memory: Memory
    profile: Profile | None = None
    discovered_at: float = 0.0
    sampled_at: float = 0.0
    samples: int = 0
    failures: int = 0

    def wants_profile(self, now: float) -> bool:
        """An agent that started just now does not have everything yet: net-snmp knows its processors a minute later."""
        is_young = self.memory.uptime_ms < YOUNG_MS
        return self.profile is None or now - self.discovered_at >= (SAMPLE_S if is_young else DISCOVER_S)

    def wants_sample(self, now: float, period_s: float) -> bool:
        """The second sample comes at once, so that there is a rate soon."""
        return self.samples < 2 or now - self.sampled_at >= SAMPLE_S - period_s / 2


class Poller:
    """Polls for ever; each answer and each missing answer is a spool record."""

    def __init__(
        self,
        targets: Sequence[Target],
        accounts: Accounts,
        intake: Intake,
        *,
        period_s: float,
        remember: Path | None = None,
    ) -> None:
        """remember: a file that keeps who the devices were over a restart of ours."""
        self.targets = tuple(targets)
        self.period_s = period_s
        self._intake = intake
        self._remember = remember
        self._is_stopping = self._has_news = False
        self._lively, self._doubtful = asyncio.Semaphore(AT_ONCE), asyncio.Semaphore(DOUBTFUL_AT_ONCE)
        before = known.load(remember) if remember is not None else {}
        self._polled = [
            _Polled(t, Address(t.address, t.port, account), before.get(t.device, Memory()))
            for t in self.targets
            if (account := accounts.polling(t.device)) is not None
        ]

    async def run(self) -> None:
        """Until cancelled."""
        step_s = self.period_s / max(1, len(self._polled))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._save_for_ever())
            for index, polled in enumerate(self._polled):
                group.create_task(self._poll_for_ever(polled, index * step_s))
            try:
                await asyncio.Event().wait()
            finally:  # before Python 3.12 `wait_for`, which the library uses, may swallow that a task is cancelled
                self._is_stopping = True
                self.save()

    async def _poll_for_ever(self, polled: _Polled, first_s: float) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + first_s
        while not self._is_stopping:
            await asyncio.sleep(max(0.0, due - loop.time()))
            await self.poll(polled)
            due += self.period_s * min(2 ** max(0, polled.failures - 1), LONGEST_PAUSE_PERIODS)
            if due < loop.time():  # late: at its own moment of a later period, not at once with all who are late
                due += self.period_s * (1 + (loop.time() - due) // self.period_s)

    async def poll(self, polled: _Polled) -> None:
        """Ask a device once, and keep what came of it. A defect that its answer finds ends nobody else's polls."""
        try:
            await self._poll(polled)
        except Unanswered as silence:
            self._failed(polled, silence.reason, silence.detail)
        except Exception as fault:
            log.exception("the answer of %s cannot be understood: a defect", polled.target.device)
            polled.profile = None  # found out anew: the defect may lie in what it said it has
            self._failed(polled, "error", f"{type(fault).__name__}: {fault}")

    async def _poll(self, polled: _Polled) -> None:
        target, reading = polled.target, await self._ask(polled)
        assert polled.profile is not None
        before = polled.memory
        documents, polled.memory = documents_of(target.device, target.uplinks, polled.profile, before, reading)
        self._has_news = self._has_news or known.is_news(before, polled.memory)
        polled.failures = 0
        self._intake.counters.polls["up"] += 1
        self._put(target, documents)

    def _failed(self, polled: _Polled, reason: str, detail: str) -> None:
        polled.failures += 1
        self._intake.counters.polls["down"] += 1
        self._put(polled.target, [failure_record(polled.target.device, reason, detail, polled.failures)])

    async def _ask(self, polled: _Polled) -> Reading:
        """One try among the living; the others, and all of a device that was dead, among the doubtful."""
        if not polled.failures:
            async with self._lively:
                try:
                    return await self._read(polled)
                except Unanswered as silence:
                    if silence.reason != "timeout":
                        raise
        tries = TRIES - 1 if not polled.failures else 1
        async with self._doubtful:
            for left in reversed(range(tries)):
                try:
                    return await self._read(polled)
                except Unanswered as silence:
                    if silence.reason != "timeout" or not left:
                        raise
        raise AssertionError("a try returns or raises")

    async def _read(self, polled: _Polled) -> Reading:
        try:
            return await self._converse(polled)
        except BaseException as error:
            if type(error).__name__ == "PanicException":  # of the library, on an answer made to hurt
                raise Unanswered("error", str(error)) from error
            raise

    async def _converse(self, polled: _Polled) -> Reading:
        """A conversation with a device. Raises Unanswered."""
        started = time.monotonic()
        session = Session(polled.address)
        await session.open()
        if polled.wants_profile(started):
            polled.profile, polled.discovered_at = await discover(session), started
        assert polled.profile is not None
        reading = await self._reading(session, polled, polled.profile, started)
        if has_changed(polled.profile, polled.memory, reading):
            polled.profile, polled.discovered_at = await discover(session), started
            polled.samples = 0  # counters began anew: the sooner they are sampled, the less is not known
            reading = await self._reading(session, polled, polled.profile, started)
        if reading.is_sample:
            polled.sampled_at, polled.samples = started, polled.samples + 1
        return reading

    async def _reading(self, session: Session, polled: _Polled, profile: Profile, started: float) -> Reading:
        is_sample = polled.wants_sample(started, self.period_s)
        asked = profile.poll_oids + profile.sample_oids if is_sample else profile.poll_oids
        values = await session.get(asked)
        bgp = await session.walk(BGP_STATE, FEW) if profile.has_bgp else {}
        ospf = await session.walk(OSPF_STATE, FEW) if profile.has_ospf else {}
        ids = await session.walk(OSPF_ID, FEW) if profile.has_ospf and is_sample else {}
        return Reading(
            at=started,
            took_s=time.monotonic() - started,
            values=values,
            is_sample=is_sample,
            bgp={address: int(state) for address, state in bgp.items() if isinstance(state, int)},
            ospf={_address(index): int(state) for index, state in ospf.items() if isinstance(state, int)},
            ospf_ids={_address(index): str(value) for index, value in ids.items()},
            lldp=await _remotes(session) if profile.lldp_ports and is_sample else None,
            engine_id=polled.address.engine_id.hex(),
        )

    async def _save_for_ever(self) -> None:
        while self._remember is not None:
            await asyncio.sleep(SAVE_S)
            self.save()

    def save(self) -> None:
        """Keep who the devices are; when that fails the next restart of ours compares with an older moment."""
        if self._remember is None or not self._has_news:
            return
        try:
            known.save(self._remember, {p.target.device: p.memory for p in self._polled})
            self._has_news = False
        except OSError as error:
            log.error("cannot keep what is known of the devices: %s", error)

    def _put(self, target: Target, documents: Sequence[bytes]) -> None:
        now = time.time_ns() // 1000
        self._intake.put_or_drop([Received(d, now, RECEIVER, target.address, target.port) for d in documents])


async def _remotes(session: Session) -> dict[str, neighbours.Remote]:
    chassis = await session.walk(LLDP_CHASSIS, FEW)
    if not chassis:
        return {}
    return neighbours.remotes(await session.walk(LLDP_NAME, FEW), chassis, await session.walk(LLDP_PORT, FEW))


def _address(index: str) -> str:
    """Of an OSPF neighbour: its address, without the interface's number behind it."""
    return ".".join(index.split(".")[:4])


def _uplinks(province: Province, device: str) -> dict[str, Uplink]:
    """Links to other routers; those to hosts carry a segment."""
    found = {}
    for link in province.links_of(device):
        if link.segment is None:
            wan = link.kind == "uplink"
            uplink = Uplink(link=link.name, bandwidth_bps=link.bandwidth_bps, is_wan=wan)
            found[link.end(device).interface] = uplink
    return found
