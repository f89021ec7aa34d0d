"""A receiving process of `canh collect`: receivers ► its own spool.

It stays small and does nothing but receive: a slow parser or a store that cannot write never costs a
message. The first one also takes traps and polls. `collecting` forks them and the store's worker.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from inventory.model import Province
from monitoring.certificates import Certificates
from monitoring.daily import Daily
from monitoring.errors import SpoolError
from monitoring.health import Health
from monitoring.receivers import Counters, Intake, Listen, Ports, SyslogTcp, SyslogUdp, UdpReceiver
from monitoring.receivers.assembly import StreamSettings, stream_receivers
from monitoring.receivers.counters import Rates
from monitoring.receivers.tcp import most_connections
from monitoring.receivers.tls import TlsKeys, keys_for
from monitoring.snmp.accounts import Accounts, accounts_of
from monitoring.snmp.notification import Notifications
from monitoring.snmp.poller import Poller, targets_of
from monitoring.snmp.traps import TrapReceiver
from monitoring.snmp.usm import Engine, engine_of
from monitoring.spool import Spool, SpoolLimits, write_failure
from monitoring.usage import Level, Usage, UsagePolicy, default_parsers, message

SPOOL = "collector"  # below <data>/spool/
COUNTERS = "collect"  # below <data>/stats/
EVERY = "0.0.0.0"  # noqa: S104  a collector listens on every address unless told otherwise
SAVE_S = 1.0
TIDY_S = 30.0

log = logging.getLogger("canh.collect")


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorSettings:
    """What to receive where. An empty tuple switches that receiver off."""

    syslog_udp: tuple[Listen, ...] = (Listen(address=EVERY, port=514),)
    syslog_tcp: tuple[Listen, ...] = (Listen(address=EVERY, port=514),)
    traps: tuple[Listen, ...] = (Listen(address=EVERY, port=162),)
    streams: StreamSettings = field(default_factory=StreamSettings)  # TLS, RELP, JSON, HTTP: none of them
    poll_period_s: float = 60.0  # 0: no polling
    message_octets: int = 64 * 1024  # longer messages are cut
    receive_buffer_octets: int = 64 * 1024 * 1024  # asked of the kernel for each UDP socket: 2 s at 50,000/s
    with_store: bool = True  # False: only receive (the spool is emptied elsewhere)
    parsers: int = field(default_factory=default_parsers)  # processes that parse when the store's worker is behind
    receivers: int = 1  # receiving processes; each has a spool of its own
    spool_budget_octets: int = SpoolLimits().budget_octets  # of all receiving processes together
    usage: UsagePolicy = field(default_factory=UsagePolicy)


@dataclass(slots=True)
class Collector:
    """A receiving process; made, started, and stopped once. Number 1 also takes traps and polls."""

    settings: CollectorSettings
    province: Province
    data_dir: Path
    number: int = 1
    ports_held: Ports = field(default_factory=Ports)
    province_dir: Path | None = None  # for the figures of the day; None: there are none
    _udp: list[UdpReceiver] = field(default_factory=list)
    _tcp: list[SyslogTcp] = field(default_factory=list)
    _polling: list[asyncio.Task[None]] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _rates: Rates = field(default_factory=lambda: Rates({}, 0.0))

    async def run(self, stop: asyncio.Event) -> None:
        """Receive until `stop`, then commit everything. Raises SpoolError, ReceiverError, SecretsError."""
        accounts = accounts_of(self.data_dir) if self.number == 1 else Accounts()
        limits = SpoolLimits(budget_octets=self.settings.spool_budget_octets // self.settings.receivers)
        spool = Spool(self.data_dir / "spool" / name_of(SPOOL, self.number), limits)
        try:
            counters = Counters(self.data_dir / "stats" / f"{name_of(COUNTERS, self.number)}.json")
            intake = self._intake(spool, counters)
            try:
                self._bind(intake, accounts)
                intake.start()
                await self._start(spool, intake, accounts)
                await self._until(stop, intake)
            finally:
                await self._stop(spool, intake)
        finally:
            spool.close()

    def _intake(self, spool: Spool, counters: Counters) -> Intake:
        try:
            return Intake(spool, counters)
        except OSError as error:
            raise write_failure(error, spool.directory) from error

    @property
    def ports(self) -> dict[str, list[int]]:
        """Where it listens; of use when asked to listen on port 0."""
        ports: dict[str, list[int]] = {}
        for receiver in self._receivers:
            ports.setdefault(receiver.receiver, []).append(receiver.port)
        return ports

    @property
    def _receivers(self) -> tuple[UdpReceiver | SyslogTcp, ...]:
        return (*self._udp, *self._tcp)

    def _bind(self, intake: Intake, accounts: Accounts) -> None:
        """All ports before anything else, so that a taken one is found before a message is accepted."""
        settings = self.settings
        limit, buffer = settings.message_octets, settings.receive_buffer_octets
        for listen in settings.syslog_udp:
            sock = self.ports_held.take("udp", listen, self.number)
            self._udp.append(SyslogUdp(listen, intake, limit=limit, receive_buffer=buffer, sock=sock))
        if settings.traps and self.number == 1:
            notifications = Notifications(accounts.known, self._engine())
            for listen in settings.traps:
                sock = self.ports_held.take("udp", listen, self.number)
                self._udp.append(TrapReceiver(listen, intake, notifications, receive_buffer=buffer, sock=sock))
        places = most_connections() // (2 if settings.streams.all else 1)
        most = max(1, places // max(1, len(settings.syslog_tcp)))
        for listen in settings.syslog_tcp:
            sock = self.ports_held.take("tcp", listen, self.number)
            self._tcp.append(SyslogTcp(listen, intake, limit=limit, most=most, sock=sock))
        self._tcp += stream_receivers(
            settings.streams,
            intake,
            pki=self.data_dir / "pki",
            keys=self._keys() if settings.streams.need_keys else None,
            limit=limit,
            most=places,
            bound=lambda listen: self.ports_held.take("tcp", listen, self.number),
        )

    @property
    def _names(self) -> tuple[str, ...]:
        """What senders call this host."""
        soc = self.province.soc
        return (soc.name, *map(str, soc.addresses))

    def _keys(self) -> TlsKeys:
        return keys_for(self.data_dir / "pki", self._names, self.settings.streams.clients, datetime.now(UTC))

    def _engine(self) -> Engine:
        try:
            return engine_of(self.data_dir, time.monotonic())
        except OSError as error:
            raise write_failure(error, self.data_dir / "stats") from error

    async def _start(self, spool: Spool, intake: Intake, accounts: Accounts) -> None:
        for udp in self._udp:
            udp.start()
        for tcp in self._tcp:
            await tcp.start()
        for receiver in self._receivers:
            log.info("%s on %s port %d", receiver.receiver, receiver.listen.address, receiver.port)
        self._tasks.append(asyncio.create_task(self._keep_counts(spool, intake)))
        if self.number == 1:
            certificates = Certificates(self.data_dir, self._names, serves=self.settings.streams.need_keys)
            self._tasks.append(asyncio.create_task(certificates.watch(intake)))
            self._tasks.append(asyncio.create_task(Health(self.data_dir).watch(intake)))
        if self.settings.poll_period_s > 0 and accounts.known:
            remember = self.data_dir / "stats" / "snmp-devices.json"
            period_s = self.settings.poll_period_s
            poller = Poller(targets_of(self.province), accounts, intake, period_s=period_s, remember=remember)
            log.info("polling %d devices every %.0f s", len(poller.targets), self.settings.poll_period_s)
            self._polling.append(asyncio.create_task(poller.run()))
            if self.settings.with_store and self.province_dir is not None:
                daily = Daily(self.province, self.province_dir, self.data_dir)
                self._polling.append(asyncio.create_task(daily.watch(intake)))

    async def _until(self, stop: asyncio.Event, intake: Intake) -> None:
        """Wait for `stop`. A part that fails ends the process loudly, so that its supervisor starts it anew."""
        stopping = asyncio.create_task(stop.wait())
        parts = {stopping, *self._tasks, *self._polling, *intake.tasks}
        try:
            while not stop.is_set():
                done, parts = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
                for part in done:
                    part.result()
        finally:
            stopping.cancel()

    async def _stop(self, spool: Spool, intake: Intake) -> None:
        """First the receivers, then what they brought is committed."""
        for task in self._polling:
            task.cancel()
        for tcp in self._tcp:
            await tcp.stop()
        for udp in self._udp:
            udp.stop()
        await intake.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._polling, *self._tasks, return_exceptions=True)
        self._save(spool, intake)
        for udp in self._udp:
            udp.close()

    async def _keep_counts(self, spool: Spool, intake: Intake) -> None:
        """Save the counters and look at the spool's use every second, tidy it now and then."""
        tidied, usage = time.monotonic(), Usage(self.settings.usage)
        self._rates = Rates(spool.counts()["received"], time.monotonic())
        while True:
            await asyncio.sleep(SAVE_S)
            self._save(spool, intake)
            await self._look_at_use(spool, intake, usage)
            if time.monotonic() - tidied > TIDY_S and intake.trouble is None:
                tidied = time.monotonic()
                try:
                    await intake.in_spool_thread(spool.remove_consumed)
                except SpoolError as error:
                    log.error("%s", error)

    async def _look_at_use(self, spool: Spool, intake: Intake, usage: Usage) -> None:
        """Say when the spool fills; stop reading from those who can wait before there is no room for the others."""
        try:
            share = spool.used_share()
            if share >= usage.policy.alert_share:
                await intake.in_spool_thread(spool.remove_consumed)
                share = spool.used_share()
        except SpoolError as error:
            if intake.trouble is None:
                log.error("%s", error)
            return
        level = usage.moved(share)
        if level is None:
            return
        log.warning("the spool %s is filled to %.0f %%: %s", spool.directory.name, share * 100, level)
        intake.nearly_full(level is Level.TCP_WAITS)
        facts: dict[str, str | int | float] = {
            "spool": spool.directory.name,
            "level": str(level),
            "used_percent": round(share * 100),
            "budget_octets": spool.limits.budget_octets,
        }
        intake.put((message("spool-usage", facts),))

    def _save(self, spool: Spool, intake: Intake) -> None:
        counters = intake.counters
        for udp in self._udp:
            udp.count_kernel_drops(counters)
        gauges = {
            "connections": sum(len(t.open) for t in self._tcp),
            "held_octets": intake.held_octets,
            "receive_buffer_octets": min((u.receive_buffer for u in self._udp), default=0),
            "torn_octets": spool.torn_octets,
            "spool_octets": spool.held_octets,
            "spool_budget_octets": spool.limits.budget_octets,
        }
        counts = spool.counts()
        self._rates.look(counts["received"], time.monotonic())
        try:
            counters.save(
                spools={spool.directory.name: counts},
                rates=self._rates.rates,
                gauges=gauges,
                trouble=None if intake.trouble is None else str(intake.trouble),
            )
        except OSError as error:
            if intake.trouble is None:
                log.error("cannot write the counters: %s", error)


def name_of(name: str, number: int) -> str:
    """Of the spool, or the counters, of a receiving process: the first has the plain name."""
    return name if number == 1 else f"{name}-{number}"
