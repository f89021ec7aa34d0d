"""The console behind a real socket: what clients that do not play by the rules can cost it."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from soc.console import _patience
from soc.console._patience import Patient
from soc.console._security import Shield
from soc.console.server import bind

WITHIN_S = 0.5


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
            Shield(reads_all), http=Patient, ws="none", lifespan="off", log_config=None, timeout_keep_alive=5
        )
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[bound])))
    thread.start()
    yield bound.getsockname()[:2]
    server.should_exit = True
    thread.join(10)


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab"])
def test_a_request_that_does_not_come_is_not_waited_for(address: tuple[str, int], sent: bytes) -> None:
    with socket.create_connection(address, timeout=10) as client:
        client.sendall(sent)
        began = time.monotonic()
        with suppress(ConnectionResetError):
            assert client.recv(100) == b""
        assert time.monotonic() - began < 5


def test_a_client_that_pauses_between_requests_is_served(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=10) as client:
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
    with socket.create_connection(address, timeout=10) as client:
        client.sendall(head + b"5\r\nhello\r\n0\r\n\r\n")
        assert client.recv(1000).startswith(b"HTTP/1.1 413")
