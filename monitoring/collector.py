"""`canh collect`: receivers ► spool here, and a worker process beside that empties the spool into the store.

The receiving process stays small and does nothing but receive: a slow parser or a
store that cannot write never costs a message.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from inventory.model import Province
from monitoring.errors import SpoolError
from monitoring.receivers import Counters, Intake, Listen, SyslogTcp, SyslogUdp, UdpReceiver
from monitoring.receivers.tcp import MOST_CONNECTIONS, OTHER_FILES, most_connections
from monitoring.snmp.notification import Notifications
from monitoring.snmp.poller import Poller, targets_of
from monitoring.snmp.traps import TrapReceiver
from monitoring.snmp.usm import Account, Engine, accounts_of, engine_of
from monitoring.spool import Spool, write_failure

SPOOL = "collector"  # below <data>/spool/
EVERY = "0.0.0.0"  # noqa: S104  a collector listens on every address unless told otherwise
SAVE_S = 1.0
TIDY_S = 30.0
WORKER_PAUSE_S = (1.0, 30.0)
WORKER_STOPS_WITHIN_S = 15.0

log = logging.getLogger("canh.collect")


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectorSettings:
    """What to receive where. An empty tuple switches that receiver off."""

    syslog_udp: tuple[Listen, ...] = (Listen(address=EVERY, port=514),)
    syslog_tcp: tuple[Listen, ...] = (Listen(address=EVERY, port=514),)
    traps: tuple[Listen, ...] = (Listen(address=EVERY, port=162),)
    poll_period_s: float = 60.0  # 0: no polling
    message_octets: int = 64 * 1024  # longer messages are cut
    receive_buffer_octets: int = 32 * 1024 * 1024  # asked of the kernel for each UDP socket
    with_store: bool = True  # False: only receive (the spool is emptied elsewhere)


@dataclass(slots=True)
class Collector:
    """The receiving process; made, started, and stopped once."""

    settings: CollectorSettings
    province: Province
    data_dir: Path
    _udp: list[UdpReceiver] = field(default_factory=list)
    _tcp: list[SyslogTcp] = field(default_factory=list)
    _polling: list[asyncio.Task[None]] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def run(self, stop: asyncio.Event, worker_command: Sequence[str]) -> None:
        """Receive until `stop`, then commit everything. Raises SpoolError, ReceiverError, SecretsError."""
        accounts = accounts_of(self.data_dir)
        spool = Spool(self.data_dir / "spool" / SPOOL)
        try:
            counters = Counters(self.data_dir / "stats" / "collect.json")
            intake = Intake(spool, counters)
            try:
                self._bind(intake, accounts)
                intake.start()
                await self._start(spool, intake, accounts, worker_command)
                await self._until(stop, intake)
            finally:
                await self._stop(spool, intake)
        finally:
            spool.close()

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

    def _bind(self, intake: Intake, accounts: tuple[Account, ...]) -> None:
        """All ports before anything else, so that a taken one is found before a message is accepted."""
        settings = self.settings
        limit, buffer = settings.message_octets, settings.receive_buffer_octets
        for listen in settings.syslog_udp:
            self._udp.append(SyslogUdp(listen, intake, limit=limit, receive_buffer=buffer))
        if settings.traps:
            notifications = Notifications(accounts, self._engine())
            for listen in settings.traps:
                self._udp.append(TrapReceiver(listen, intake, notifications, receive_buffer=buffer))
        most = most_connections() // max(1, len(settings.syslog_tcp))
        for listen in settings.syslog_tcp:
            self._tcp.append(SyslogTcp(listen, intake, limit=limit, most=most))

    def _engine(self) -> Engine:
        try:
            return engine_of(self.data_dir, time.monotonic())
        except OSError as error:
            raise write_failure(error, self.data_dir / "stats") from error

    async def _start(
        self, spool: Spool, intake: Intake, accounts: tuple[Account, ...], worker_command: Sequence[str]
    ) -> None:
        for udp in self._udp:
            udp.start()
        for tcp in self._tcp:
            await tcp.start()
        for receiver in self._receivers:
            log.info("%s on %s port %d", receiver.receiver, receiver.listen.address, receiver.port)
        self._tasks.append(asyncio.create_task(self._keep_counts(spool, intake)))
        if self.settings.with_store:
            self._tasks.append(asyncio.create_task(_keep_worker(worker_command)))
        if self.settings.poll_period_s > 0 and (users := [a for a in accounts if a.user]):
            poller = Poller(targets_of(self.province), users[0], intake, period_s=self.settings.poll_period_s)
            log.info("polling %d devices every %.0f s", len(poller.targets), self.settings.poll_period_s)
            self._polling.append(asyncio.create_task(poller.run()))

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
        """First the receivers, then what they brought is committed, last the worker drains."""
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
        """Save the counters every second, tidy the spool now and then."""
        tidied = time.monotonic()
        while True:
            await asyncio.sleep(SAVE_S)
            self._save(spool, intake)
            if time.monotonic() - tidied > TIDY_S and intake.trouble is None:
                tidied = time.monotonic()
                try:
                    await intake.in_spool_thread(spool.remove_consumed)
                except SpoolError as error:
                    log.error("%s", error)

    def _save(self, spool: Spool, intake: Intake) -> None:
        counters = intake.counters
        for udp in self._udp:
            udp.count_kernel_drops(counters)
        gauges = {
            "connections": sum(len(t.open) for t in self._tcp),
            "held_octets": intake.held_octets,
            "receive_buffer_octets": min((u.receive_buffer for u in self._udp), default=0),
            "torn_octets": spool.torn_octets,
        }
        try:
            counters.save(
                spools={SPOOL: spool.counts()},
                gauges=gauges,
                trouble=None if intake.trouble is None else str(intake.trouble),
            )
        except OSError as error:
            if intake.trouble is None:
                log.error("cannot write the counters: %s", error)


async def _keep_worker(command: Sequence[str]) -> None:
    """Run the store's worker, start it again when it dies; cancelled, let it drain and wait for it."""
    pause_s = WORKER_PAUSE_S[0]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    while True:
        started = time.monotonic()
        worker = await asyncio.create_subprocess_exec(*command, stdin=asyncio.subprocess.PIPE, env=environment)
        try:
            code = await worker.wait()
        except asyncio.CancelledError:
            await _end(worker)
            raise
        if time.monotonic() - started > WORKER_PAUSE_S[1]:
            pause_s = WORKER_PAUSE_S[0]
        log.error("the store's worker ended with %s; starting it again in %.0f s", code, pause_s)
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 2, WORKER_PAUSE_S[1])


async def _end(worker: asyncio.subprocess.Process) -> None:
    """Its standard input ends, so it drains what is spooled, commits and goes."""
    if worker.stdin is not None:
        worker.stdin.close()
    try:
        await asyncio.wait_for(worker.wait(), WORKER_STOPS_WITHIN_S)
    except TimeoutError:
        log.error("the store's worker did not end in time: killed; it goes on where it was at the next start")
        worker.kill()
        await worker.wait()


def collect(settings: CollectorSettings, province: Province, province_dir: Path, data_dir: Path) -> None:
    """Run a collector until SIGTERM or SIGINT. Raises SpoolError, ReceiverError, SecretsError."""
    logging.basicConfig(level=logging.INFO, format="canh collect: %(message)s", stream=sys.stderr)
    command = (sys.executable, "-m", "monitoring.storing", str(province_dir), str(data_dir))

    _allow_many_connections()

    async def until_told() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await Collector(settings, province, data_dir).run(stop, command)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(until_told())


def _allow_many_connections() -> None:
    """Raise the soft limit of open files, 1,024 by default, to what our own limit of connections needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(hard, wanted)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
