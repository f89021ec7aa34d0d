"""Receivers of streams on loopback into a real spool, with a CA of their own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from monitoring.receivers import Counters, Intake
from monitoring.receivers.streams import StreamConnection, StreamReceiver
from monitoring.receivers.tls import Clients, TlsKeys, keys_for
from monitoring.spool import SpoolRecord
from pki import Authority, Purpose
from tests.unit.monitoring.test_receivers import LOCAL, FillingSpool, eventually, records_of
from tests.unit.pace import LONG_S

__all__ = ["Stream", "client_context", "connected", "eventually", "listening", "made_keys"]


@dataclass
class Stream:
    receiver: StreamReceiver
    spool: FillingSpool
    intake: Intake

    def raws(self) -> list[bytes]:
        return [r.raw for r in self.records()]

    def records(self) -> list[SpoolRecord]:
        return records_of(self.spool)

    async def until(self, count: int, within_s: float = LONG_S) -> list[SpoolRecord]:
        await eventually(lambda: self.spool.received.total >= count, within_s)
        return self.records()

    def refused(self, reason: str) -> int:
        tally = self.intake.counters._refused.get(reason)
        return 0 if tally is None else tally.total


def made_keys(tmp_path: Path, clients: Clients = Clients.OPTIONAL) -> TlsKeys:
    return keys_for(tmp_path / "pki", ["soc"], clients, datetime.now(UTC))


def client_context(tmp_path: Path, client: str = "") -> ssl.SSLContext:
    """What a sender trusts; with the certificate of `client`, issued when there is none."""
    authority = Authority(tmp_path / "pki")
    context = ssl.create_default_context(cafile=str(authority.certificate))
    if client:
        if not authority.files_of(client)[0].exists():
            authority.issue(client, purpose=Purpose.CLIENT, life=timedelta(days=9), now=datetime.now(UTC))
        context.load_cert_chain(*authority.files_of(client))
    return context


@asynccontextmanager
async def listening(
    tmp_path: Path,
    receiver: str,
    connection: Callable[[StreamReceiver], StreamConnection],
    *,
    keys: TlsKeys | None = None,
    limit: int = 1000,
    most: int | None = None,
) -> AsyncIterator[Stream]:
    spool = FillingSpool(tmp_path / "spool" / "test")
    hold = Intake(spool, Counters(tmp_path / "stats" / "collect.json"))
    made = StreamReceiver(receiver, connection, LOCAL, hold, limit=limit, keys=keys, most=most)
    hold.start()
    await made.start()
    try:
        yield Stream(made, spool, hold)
    finally:
        await made.stop()
        await hold.stop()
        spool.close()


async def connected(
    stream: Stream, context: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    name = None if context is None else "localhost"
    return await asyncio.open_connection("127.0.0.1", stream.receiver.port, ssl=context, server_hostname=name)
