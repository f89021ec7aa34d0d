"""HTTP, one request after the other over a connection: its limits, and how refusals are answered.

h11 reads and writes the protocol. A request arrives whole within a time, a client that is refused sees the answer, and
one that reads no answers is cut off. What is asked and answered is for the class below (`bulk_http`).
"""

from __future__ import annotations

import asyncio
import json
import re
from abc import abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

import h11

from monitoring.receivers.streams import StreamConnection, StreamReceiver

HEAD_OCTETS = 16 * 1024
DRAINED_OCTETS = 32 * 1024 * 1024  # of a body that nobody wants
IDLE_S = 75.0  # between two requests
HEAD_S = 10.0
BODY_S = 120.0  # 32 MiB over a line of 2 Mbit/s
ANSWER_S = 120.0  # until a client has read what it was answered: of 50,000 documents 11 MB
LINGER_S = 1.0  # so long a refused client's octets are still read, or it would not see the answer
_MEDIA = re.compile(rb"application/vnd\.elasticsearch\+json;\s*compatible-with=[0-9]{1,2}")
_ASK = b'Basic realm="canh", Bearer, ApiKey'

Headers = Mapping[bytes, bytes]


class Refused(Exception):
    """The request is answered with `status` and its reason; `ends` closes the connection, its body unread."""

    def __init__(self, status: int, kind: str, reason: str, *, counted: str = "", ends: bool = False) -> None:
        super().__init__(reason)
        self.status, self.kind, self.reason, self.counted, self.ends = status, kind, reason, counted, ends

    @property
    def document(self) -> dict[str, Any]:
        cause = {"type": self.kind, "reason": self.reason}
        return {"error": cause | {"root_cause": [cause]}, "status": self.status}


class HttpConnection(StreamConnection):
    """One client; one request after the other."""

    answers = True

    def __init__(self, server: StreamReceiver, tasks: set[asyncio.Task[None]]) -> None:
        """tasks: holds what runs for the connections of a receiver."""
        super().__init__(server)
        self.is_leaving = False  # we stop: the request under way is the last one
        self._tasks = tasks
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_OCTETS)
        self._arrived = asyncio.Event()
        self._written = asyncio.Event()  # cleared while our answers pile up
        self._written.set()
        self._media = b"application/json"
        self._is_deaf = self._is_head = False

    @abstractmethod
    async def obey(self, method: str, target: str, headers: Headers) -> None:
        """Do what a request asks and answer it. Raises Refused, and what `body` raises."""

    @abstractmethod
    def released(self) -> None:
        """The request is answered, or was cut off: let go of what was held for it."""

    @property
    def is_between(self) -> bool:
        """Whether every request that came is answered."""
        return self._http.our_state not in (h11.SEND_RESPONSE, h11.SEND_BODY)

    # as a protocol

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if self in self.server.open:
            task = asyncio.get_running_loop().create_task(self._serve())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            return
        self.transport.pause_reading()  # until these are used
        self._http.receive_data(data)
        self._arrived.set()

    def eof_received(self) -> bool:
        self._http.receive_data(b"")
        self._arrived.set()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._arrived.set()
        self._written.set()

    def pause_writing(self) -> None:
        self._written.clear()

    def resume_writing(self) -> None:
        self._written.set()

    def pause(self) -> None:
        """Whoever asks is answered, also while others wait."""

    def resume(self) -> None:
        pass

    def say_goodbye(self) -> None:
        """What is not answered by now, its sender keeps."""
        self.is_leaving = True
        if self._http.our_state is h11.IDLE:
            self.transport.close()

    # one request after the other

    async def _serve(self) -> None:
        try:
            while not self.transport.is_closing() and await self._exchange() and not self.is_leaving:
                self._http.start_next_cycle()
        except ConnectionError:  # gone, or hung up on
            pass
        except (h11.ProtocolError, TimeoutError) as error:
            self.server.refused("http-broken", self.peer)
            await self._say_if_possible(error)
        finally:
            self.transport.close()

    async def _say_if_possible(self, error: Exception) -> None:
        if self._http.our_state in (h11.IDLE, h11.SEND_RESPONSE) and not self.transport.is_closing():
            status = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 408
            with suppress(h11.ProtocolError):
                self.answer(status, Refused(status, "bad_request", str(error)).document, ends=True)
                await self._linger()

    async def _exchange(self) -> bool:
        """Read and answer one request; False when the connection ends."""
        request = await self._head()
        if request is None:
            return False
        try:
            await self._obey_or_refuse(request)
            await self._sent()
        finally:
            self.released()
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _obey_or_refuse(self, request: h11.Request) -> None:
        headers = dict(request.headers)
        self._is_head = request.method == b"HEAD"
        accepted = headers.get(b"accept", b"")
        self._media = accepted if _MEDIA.fullmatch(accepted) else b"application/json"
        try:
            await self.obey(request.method.decode("ascii"), request.target.decode("ascii", "replace"), headers)
        except Refused as refused:
            if refused.counted:
                self.server.refused(refused.counted, self.peer)
            if not refused.ends:
                await self.drain()
            self.answer(refused.status, refused.document, ends=refused.ends)
            if refused.ends:
                await self._linger()

    async def _head(self) -> h11.Request | None:
        """The next request; a quiet connection may last, one that began to speak has to finish."""
        if self._http.trailing_data[0] == b"":
            try:
                event = await self._next(IDLE_S, once=True)
            except TimeoutError:
                return None
            if event is not h11.NEED_DATA:
                return event if isinstance(event, h11.Request) else None
        event = await self._next(HEAD_S)
        return event if isinstance(event, h11.Request) else None

    # octets

    async def body(self) -> AsyncIterator[bytes]:
        """As it arrives. Raises TimeoutError, ConnectionError, h11.ProtocolError."""
        until = asyncio.get_running_loop().time() + BODY_S
        if self._http.they_are_waiting_for_100_continue:
            self.transport.write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
        while True:
            event = await self._next(until - asyncio.get_running_loop().time())
            if not isinstance(event, h11.Data):
                return
            yield bytes(event.data)

    async def drain(self) -> None:
        """Read the body for nothing, so that the answer is seen and the connection goes on."""
        if self._http.they_are_waiting_for_100_continue or self._http.their_state is not h11.SEND_BODY:
            return
        octets = 0
        async for data in self.body():
            octets += len(data)
            if octets > DRAINED_OCTETS:
                raise h11.RemoteProtocolError("the body is too large", error_status_hint=413)

    async def _linger(self) -> None:
        """Read on for a moment: closing with octets unread would take the answer back."""
        self._is_deaf = True
        if not self.transport.is_closing():
            self.transport.resume_reading()
        await asyncio.sleep(LINGER_S)

    async def _next(self, within_s: float, *, once: bool = False) -> Any:
        """The next event of the request. Raises TimeoutError; ConnectionError when the sender is gone.

        once: after the first octets come back with what there is, which may be NEED_DATA.
        """
        async with asyncio.timeout(max(0.0, within_s)):
            while (event := self._http.next_event()) is h11.NEED_DATA:
                if self.transport.is_closing():
                    raise ConnectionResetError
                self._arrived.clear()
                self.transport.resume_reading()
                await self._arrived.wait()
                if once:
                    return self._http.next_event()
        return event

    async def _sent(self) -> None:
        """Until most of the answer is gone, and the others had their turn. Raises ConnectionError for a client that
        does not read: it would be answered again and again into our memory."""
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._written.wait()
        except TimeoutError:
            self.server.refused("answer-not-read", self.peer)
            self.abort()
            raise ConnectionAbortedError from None

    def answer(self, status: int, document: dict[str, Any], *, ends: bool = False) -> None:
        self.send(status, json.dumps(document, separators=(",", ":")).encode(), ends=ends)

    def send(self, status: int, body: bytes, *, ends: bool = False) -> None:
        headers = [
            (b"content-type", self._media),
            (b"content-length", b"%d" % len(body)),
            (b"x-elastic-product", b"Elasticsearch"),
        ]
        if status == 401:
            headers.append((b"www-authenticate", _ASK))
        if ends or self.is_leaving:
            headers.append((b"connection", b"close"))
        events: list[h11.Event] = [h11.Response(status_code=status, headers=headers)]
        events += [] if self._is_head else [h11.Data(data=body)]
        self.transport.write(b"".join(self._http.send(event) or b"" for event in [*events, h11.EndOfMessage()]))
