"""`canh collect` as a tree of processes: ports bound here, receiving processes forked, the store's worker beside them.

Whatever can be wrong at the start (a port in use, a wrong file, a data directory that cannot be written) is found here,
before a message is accepted. `processes` then keeps the tree running.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import sys
import time
from pathlib import Path

import uvloop

from inventory.model import Province
from monitoring.collector import SPOOL, Collector, CollectorSettings, name_of
from monitoring.errors import SpoolLocked
from monitoring.processes import Part, Worker, forked, keep
from monitoring.receivers import Ports
from monitoring.receivers.tcp import MOST_CONNECTIONS, OTHER_FILES
from monitoring.snmp.accounts import accounts_of
from monitoring.spool import Spool, locked, spools, write_failure

PREDECESSORS_END_WITHIN_S = 10.0


def _receive(made: Collector) -> None:
    """A receiving process, until SIGTERM."""

    async def until_told() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await made.run(stop)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(until_told())


def collect(settings: CollectorSettings, province: Province, province_dir: Path, data_dir: Path) -> int:
    """Run a collector until SIGTERM or SIGINT; returns its exit code.

    Raises SpoolError, ReceiverError, SecretsError.
    """
    logging.basicConfig(level=logging.INFO, format="canh collect: %(message)s", stream=sys.stderr)
    os.umask(os.umask(0o077) | 0o027)  # what is collected is nobody else's to read, whoever starts us
    _allow_many_connections()
    lock = _only_one(data_dir)
    accounts_of(data_dir)  # a wrong file is told before anything is received
    _tidy(data_dir, settings.receivers)
    ports = Ports()
    try:
        _bind_shared(ports, settings)
        storing_command = (sys.executable, "-m", "monitoring.storing", str(province_dir), str(data_dir))
        worker = Worker((*storing_command, "--parsers", str(settings.parsers)))
        receivers = [
            _receiver(Collector(settings, province, data_dir, number, ports, province_dir), worker)
            for number in range(1, settings.receivers + 1)
        ]
        storing = Part("the store's worker", worker.start, ends_all=False) if settings.with_store else None

        def let_go() -> None:
            ports.close()
            worker.let_go()

        return keep(receivers, storing, let_go)
    finally:
        ports.close()
        os.close(lock)


def _tidy(data_dir: Path, receivers: int) -> None:
    """Open and close each spool of ours, also those of an earlier run with more receivers: what was read goes.

    Raises SpoolError.
    """
    wanted = {data_dir / "spool" / name_of(SPOOL, number) for number in range(1, receivers + 1)}
    earlier = {d for d in spools(data_dir) if d.name.startswith(f"{SPOOL}-")}
    for directory in sorted(wanted | earlier):
        spool = Spool(directory)
        try:
            spool.remove_consumed()
        finally:
            spool.close()


def _receiver(made: Collector, worker: Worker) -> Part:
    return Part(f"receiver {made.number}", lambda: forked(lambda: _receive(made), worker.let_go))


def _only_one(data_dir: Path) -> int:
    """Hold the data directory's spools for this tree of processes: children inherit the lock.

    Those of a tree whose parent was killed need a moment to end. Raises SpoolLocked, SpoolUnwritable.
    """
    folder = data_dir / "spool"
    until = time.monotonic() + PREDECESSORS_END_WITHIN_S
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return locked(folder)
        except SpoolLocked:
            if time.monotonic() > until:
                raise
        except OSError as error:
            raise write_failure(error, folder) from error
        time.sleep(0.05)


def _bind_shared(ports: Ports, settings: CollectorSettings) -> None:
    """What every receiving process receives on, and traps. Raises ReceiverError."""
    buffer = settings.receive_buffer_octets
    for listen in settings.syslog_udp:
        ports.hold_udp(listen, processes=settings.receivers, receive_buffer=buffer)
    for listen in settings.syslog_tcp:
        ports.hold_tcp(listen, processes=settings.receivers)
    for _, listen in settings.streams.all:
        ports.hold_tcp(listen, processes=settings.receivers)
    for listen in settings.traps:
        ports.hold_udp(listen, processes=1, receive_buffer=buffer)


def _allow_many_connections() -> None:
    """Raise the soft limit of open files, 1,024 by default, to what our own limit of connections needs."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + OTHER_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(hard, wanted)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
