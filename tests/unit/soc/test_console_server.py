"""The console behind a real socket: what clients that do not play by the rules cost it, which certificate they see."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from pki import authority
from soc.console import _certificate, _patience
from soc.console._certificate import Shown
from soc.console._patience import Patient
from soc.console._security import Shield
from soc.console.server import bind
from soc.pki import SERVER_LIFE, Pki

WITHIN_S = 0.5
NAMES = ("dc-soc1",)


async def reads_all(scope: Scope, receive: Receive, send: Send) -> None:
    """Takes whatever body comes, as a form's parser does."""
    while (await receive()).get("more_body"):
        pass
    await PlainTextResponse("read")(scope, receive, send)


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    monkeypatch.setattr(_patience, "REQUEST_WITHIN_S", WITHIN_S)
    bound = bind("127.0.0.1", 0)
    server = uvicorn.Server(
        uvicorn.Config(
            Shield(reads_all), http=Patient, ws="none", lifespan="off", log_config=None, timeout_keep_alive=300
        )
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[bound])))
    thread.start()
    yield bound.getsockname()[:2]
    server.should_exit = True
    thread.join(60)


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"])
def test_a_request_that_does_not_come_is_not_waited_for(address: tuple[str, int], sent: bytes) -> None:
    with socket.create_connection(address, timeout=60) as client:
        client.sendall(sent)
        with suppress(ConnectionResetError):
            assert client.recv(100) == b""  # else the socket's own limit raises


def test_a_client_that_pauses_between_requests_is_served(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=60) as client:
        for _ in range(2):
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while not answer.endswith(b"read"):
                more = client.recv(1000)
                assert more, answer
                answer += more
            time.sleep(WITHIN_S * 2)


def test_a_chunked_body_is_refused_whatever_length_it_claims(address: tuple[str, int]) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection(address, timeout=60) as client:
        client.sendall(head + b"5\r\nhello\r\n0\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 413")


@asynccontextmanager
async def serving(pki: Pki) -> AsyncIterator[tuple[Shown, int]]:
    """A server that shows the console's certificate, and nothing else."""
    pki.ensure(NAMES, datetime.now(UTC))
    shown, context = Shown(pki, NAMES), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.certificate, pki.key)
    shown.attach(context)
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        yield shown, server.sockets[0].getsockname()[1]


async def seen(pki: Pki, port: int, name: str) -> bytes:
    """The certificate a client is shown that trusts the CA and asks for `name`."""
    trusting = ssl.create_default_context(cafile=str(pki.ca_certificate))
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting, server_hostname=name)
    shown: bytes = writer.get_extra_info("ssl_object").getpeercert(True)
    writer.close()
    return shown


@pytest.mark.parametrize("name", ["dc-soc1", "127.0.0.1"])
def test_a_renewed_certificate_is_shown_without_a_restart(tmp_path: Path, name: str) -> None:
    async def work() -> None:
        pki = Pki(tmp_path)
        async with serving(pki) as (shown, port):
            first = await seen(pki, port, name)
            shown.look()
            assert await seen(pki, port, name) == first
            assert pki.ensure((*NAMES, "10.250.64.74"), datetime.now(UTC)) is True
            shown.look()
            assert await seen(pki, port, name) == ssl.PEM_cert_to_DER_cert(pki.certificate.read_text()) != first

    asyncio.run(work())


def test_a_pair_that_does_not_fit_leaves_the_certificate_that_was(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        pki = Pki(tmp_path)
        async with serving(pki) as (shown, port):
            first, key = await seen(pki, port, "dc-soc1"), pki.key.read_bytes()
            pki.key.write_text("not a key")
            shown.look()
            assert await seen(pki, port, "dc-soc1") == first
            assert "going on with what was" in caplog.text
            pki.key.write_bytes(key)
            pki.ensure((*NAMES, "10.250.64.74"), datetime.now(UTC))
            shown.look()
            assert await seen(pki, port, "dc-soc1") != first

    asyncio.run(work())


def test_a_certificate_near_its_end_is_renewed_while_serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        pki = Pki(tmp_path)
        async with serving(pki) as (shown, port):
            first = await seen(pki, port, "dc-soc1")
            monkeypatch.setattr(authority, "RENEW_BEFORE", SERVER_LIFE)
            monkeypatch.setattr(_certificate, "LOOK_S", 0.01)
            keeping = asyncio.create_task(shown.keep())
            for _ in range(500):
                await asyncio.sleep(0.01)
                if await seen(pki, port, "dc-soc1") != first:
                    break
            keeping.cancel()
            assert await seen(pki, port, "dc-soc1") != first

    asyncio.run(work())
