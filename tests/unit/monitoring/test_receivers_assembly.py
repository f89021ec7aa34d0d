"""A collector with every receiver of streams: keys are made at the first start, each way in leads to the spool."""

from __future__ import annotations

import argparse
import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvloop

from canh.verbs import collect
from monitoring.collector import Collector, CollectorSettings
from monitoring.receivers import Listen
from monitoring.receivers.assembly import NAMES, PORTS, WITHOUT_TLS, StreamSettings
from monitoring.spool import SpoolReader, spools
from pki import Tokens
from tests.unit.monitoring.lab import province

LOCAL = (Listen(address="127.0.0.1", port=0),)
SAID: dict[str, bytes] = {
    "syslog-tls": b"<13>by syslog-tls\n",
    "relp-tcp": b"1 open 15 commands=syslog\n2 syslog 15 <13>by relp-tcp\n",
    "relp-tls": b"1 open 15 commands=syslog\n2 syslog 15 <13>by relp-tls\n",
    "json-tcp": b'{"by":"json-tcp"}\n',
    "json-tls": b'{"by":"json-tls"}\n',
}


def collecting(data: Path, streams: StreamSettings, work: Callable[[Collector], Any]) -> None:
    settings = CollectorSettings(
        syslog_udp=(), syslog_tcp=LOCAL, traps=(), poll_period_s=0, with_store=False, streams=streams
    )

    async def run() -> None:
        made, stop = Collector(settings, province(), data), asyncio.Event()
        task = asyncio.create_task(made.run(stop))
        while len(made.ports) < 1 + len(streams.all) and not task.done():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        try:
            await work(made)
        finally:
            stop.set()
            await task

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def heard(data: Path, receiver: str) -> None:
    """Wait until something of this receiver is in the spool."""
    while receiver not in {r.receiver for r in SpoolReader(spools(data)[0]).read(0)[0]}:
        await asyncio.sleep(0.01)


def test_each_way_in_leads_to_the_spool(tmp_path: Path) -> None:
    token = Tokens(tmp_path / "pki").add("agents", datetime.now(UTC))
    body = b'{"create":{}}\n{"by":"bulk"}\n'
    head = b"POST /_bulk HTTP/1.1\r\nhost: soc\r\nauthorization: Bearer %b\r\ncontent-length: %d\r\n\r\n"

    async def work(made: Collector) -> None:
        trusted = ssl.create_default_context(cafile=str(tmp_path / "pki" / "ca.crt"))
        for name, said in {**SAID, "bulk": head % (token.encode(), len(body)) + body}.items():
            secure: dict[str, Any] = (
                {} if name in WITHOUT_TLS else {"ssl": trusted, "server_hostname": province().soc.name}
            )
            _, writer = await asyncio.open_connection("127.0.0.1", made.ports[name][0], **secure)
            writer.write(said)
            await writer.drain()
            await heard(tmp_path, name)
            writer.close()

    collecting(tmp_path, StreamSettings(listen=dict.fromkeys(NAMES, LOCAL)), work)
    records, _ = SpoolReader(spools(tmp_path)[0]).read(0)
    records = [r for r in records if r.receiver != "canh"]  # what the platform says of itself
    assert {r.receiver for r in records} == set(NAMES)
    assert all(r.receiver.encode() in r.raw for r in records) and len(records) == len(NAMES)


def test_without_streams_no_key_is_made(tmp_path: Path) -> None:
    async def work(made: Collector) -> None:
        assert list(made.ports) == ["syslog-tcp"]

    collecting(tmp_path, StreamSettings(), work)
    assert not (tmp_path / "pki").exists()


@pytest.mark.parametrize(
    ("words", "ports"),
    [
        ((), dict(PORTS)),
        (("--plain-only",), {}),
        (("--plain-only", "--syslog-tls", "10.0.0.1:7000"), {"syslog-tls": 7000}),
        (("--bulk", "off", "--json-tcp", "5170"), {k: v for k, v in PORTS.items() if k != "bulk"} | {"json-tcp": 5170}),
    ],
)
def test_the_command_line_says_where(words: tuple[str, ...], ports: dict[str, int]) -> None:
    parser = argparse.ArgumentParser()
    collect.arguments(parser)
    listens = collect._streams(parser.parse_args(words))
    assert {name: where[0].port for name, where in listens.items() if where} == ports
