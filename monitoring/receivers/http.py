"""HTTP for agents that ship to Elasticsearch: `_bulk`, answered after fsync.

h11 reads and writes the protocol; here are the limits. A request shows a token before its body is
looked at; it arrives whole within a time, and nobody holds more memory than a request may have. When
the spool takes nothing, a request waits a moment and is then told to come again (429).
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import h11

from monitoring.receivers.again import REASON
from monitoring.receivers.bulk import BulkReader, Item, MalformedBulk, TooManyLines, answer_of
from monitoring.receivers.elastic_facts import answer_to
from monitoring.receivers.gunzip import Gunzip
from monitoring.receivers.streams import StreamConnection, StreamReceiver
from monitoring.spool import Received
from pki import PkiError, Tokens

REQUEST_OCTETS = 32 * 1024 * 1024  # of a body, as sent and unpacked
HELD_OCTETS = 128 * 1024 * 1024  # of all bodies under way
HEAD_OCTETS = 16 * 1024
IDLE_S = 75.0  # between two requests
HEAD_S = 10.0
BODY_S = 120.0  # 32 MiB over a line of 2 Mbit/s
ANSWER_S = 60.0  # until a client has read what it was answered
PIECE_OCTETS = 64 * 1024  # of a body, between two of which the others have their turn
PATIENCE_S = 10.0  # of a request for a spool that takes nothing
LINGER_S = 1.0  # so long a refused client's octets are still read, or it would not see the answer
_BULK = re.compile(r"(?:/([^/]+))?/_bulk/?")
_MEDIA = re.compile(rb"application/vnd\.elasticsearch\+json;\s*compatible-with=[0-9]{1,2}")
_ASK = b'Basic realm="canh", Bearer, ApiKey'

log = logging.getLogger("canh.collect")


class Refused(Exception):
    """The request is answered with `status` and its reason; `ends` closes the connection, its body unread."""

    def __init__(self, status: int, kind: str, reason: str, *, counted: str = "", ends: bool = False) -> None:
        super().__init__(reason)
        self.status, self.kind, self.reason, self.counted, self.ends = status, kind, reason, counted, ends

    @property
    def document(self) -> dict[str, Any]:
        cause = {"type": self.kind, "reason": self.reason}
        return {"error": cause | {"root_cause": [cause]}, "status": self.status}


@dataclass(slots=True)
class BulkService:
    """What the connections of a receiver share."""

    tokens: Tokens
    held_octets: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


def bulk_connection(tokens: Tokens) -> Callable[[StreamReceiver], StreamConnection]:
    """Makes the connections of one receiver."""
    service = BulkService(tokens)
    return lambda server: HttpConnection(server, service)


class HttpConnection(StreamConnection):
    """One agent; one request after the other."""

    answers = True

    def __init__(self, server: StreamReceiver, service: BulkService) -> None:
        super().__init__(server)
        self._service = service
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_OCTETS)
        self._arrived = asyncio.Event()
        self._written = asyncio.Event()  # cleared while our answers pile up
        self._written.set()
        self._media = b"application/json"
        self._held = 0  # octets of memory of the request under way
        self._is_leaving = self._is_deaf = self._is_head = False

    # as a protocol

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if self in self.server.open:
            task = asyncio.get_running_loop().create_task(self._serve())
            self._service.tasks.add(task)
            task.add_done_callback(self._service.tasks.discard)

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
        self._is_leaving = True
        if self._http.our_state is h11.IDLE:
            self.transport.close()

    # one request after the other

    async def _serve(self) -> None:
        try:
            while not self.transport.is_closing() and await self._exchange() and not self._is_leaving:
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
                self._answer(status, Refused(status, "bad_request", str(error)).document, ends=True)
                await self._linger()

    async def _exchange(self) -> bool:
        """Read and answer one request; False when the connection ends."""
        request = await self._head()
        if request is None:
            return False
        self._held = 0
        try:
            await self._obey_or_refuse(request)
            await self._sent()
        finally:
            self._service.held_octets -= self._held
            self._held = 0
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE

    async def _obey_or_refuse(self, request: h11.Request) -> None:
        try:
            await self._obey(request)
        except Refused as refused:
            if refused.counted:
                self.server.refused(refused.counted, self.peer)
            if not refused.ends:
                await self._drain()
            self._answer(refused.status, refused.document, ends=refused.ends)
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

    async def _obey(self, request: h11.Request) -> None:
        headers = dict(request.headers)
        self._is_head = request.method == b"HEAD"
        accepted = headers.get(b"accept", b"")
        self._media = accepted if _MEDIA.fullmatch(accepted) else b"application/json"
        self._authorise(headers.get(b"authorization", b""))
        path = unquote(request.target.decode("ascii", "replace").partition("?")[0])
        method = request.method.decode("ascii")
        bulk = _BULK.fullmatch(path)
        if bulk is None or method not in ("POST", "PUT"):
            answer = answer_to(method, path.rstrip("/") or "/")
            if answer is None:
                raise Refused(404, "not_found", "only _bulk is served here, and what agents ask before it")
            await self._drain()
            self._answer(200, answer)
            return
        await self._bulk(bulk[1] or "", headers)

    def _authorise(self, shown: bytes) -> None:
        try:
            owner = self._service.tokens.owner_of(shown.decode("latin-1"))
        except PkiError as error:
            log.error("%s", error)
            owner = ""
        if not owner:
            raise Refused(401, "security_exception", "show a token that `canh pki token add` made", counted="token")

    # documents

    async def _bulk(self, index: str, headers: dict[bytes, bytes]) -> None:
        began = time.monotonic()
        encoding = headers.get(b"content-encoding", b"identity").lower()
        if encoding not in (b"identity", b"gzip"):
            raise Refused(415, "unsupported", "content-encoding gzip or none")
        if int(headers.get(b"content-length", b"0")) > REQUEST_OCTETS:
            raise self._too_large()
        if not await self._has_room():
            self._hang_up_on(headers)
            raise self._rejected("the spool takes nothing now")
        items = await self._read(BulkReader(index), Gunzip() if encoding == b"gzip" else None)
        await self._keep(items)
        body = bytearray()
        for piece in answer_of(items, round((time.monotonic() - began) * 1000)):
            body += piece
            await asyncio.sleep(0)
        self._send(200, bytes(body))

    def _hang_up_on(self, headers: dict[bytes, bytes]) -> None:
        """rsyslog 8.2302 gives a batch up when it is told to come again, but keeps it when nobody answers.

        It is the one that does not name itself: libcurl sends no User-Agent of its own.
        """
        if b"user-agent" not in headers:
            self.server.refused("spool-full", self.peer)
            raise ConnectionAbortedError

    async def _has_room(self) -> bool:
        """Whether the spool takes messages, now or in a moment."""
        intake, until = self.server.intake, time.monotonic() + PATIENCE_S
        while intake.trouble is not None or intake.is_full or self._service.held_octets > HELD_OCTETS:
            if time.monotonic() > until or self._is_leaving or self.transport.is_closing():
                return False
            await asyncio.sleep(0.1)
        return True

    async def _read(self, reader: BulkReader, gunzip: Gunzip | None) -> tuple[Item, ...]:
        """The body, taken piece by piece; between two the others have their turn."""
        sent = unpacked = 0
        try:
            async for data in self._body():
                sent += len(data)
                for piece in _cut(data) if gunzip is None else gunzip.feed(data):
                    unpacked += len(piece)
                    if unpacked > REQUEST_OCTETS:
                        raise self._too_large()
                    before = reader.weight
                    reader.feed(piece)
                    self._hold(reader.weight - before)
                    await asyncio.sleep(0)
                if sent > REQUEST_OCTETS:  # of gzip that holds nothing
                    raise self._too_large()
            if gunzip is not None:
                gunzip.close()
            return reader.close()
        except TooManyLines as error:
            raise self._too_large(str(error)) from error
        except (MalformedBulk, ValueError) as error:
            raise Refused(400, "illegal_argument_exception", str(error), counted="bulk-malformed") from error

    def _hold(self, octets: int) -> None:
        self._held += octets
        self._service.held_octets += octets
        if self._service.held_octets > 2 * HELD_OCTETS:  # more began together than there is room for
            raise self._rejected("too much is under way")

    def _rejected(self, why: str) -> Refused:
        return Refused(429, "es_rejected_execution_exception", why, counted="spool-full")

    def _too_large(self, why: str = "") -> Refused:
        why = why or f"a request has at most {REQUEST_OCTETS} octets, also unpacked"
        return Refused(413, "content_too_long_exception", why, counted="request-too-large", ends=True)

    async def _keep(self, items: tuple[Item, ...]) -> None:
        server, now = self.server, time.time_ns() // 1000
        for item in items:
            if item.record is None:
                server.refused("document-too-large" if item.status == 413 else "document-malformed", self.peer)
        records = [i.record for i in items if i.record is not None]
        messages = [Received(record, now, server.receiver, self.peer, self.port) for record in records]
        again = server.intake.again
        new = again.follower(server.receiver, self.peer).new(messages)
        if len(new) < len(messages):
            server.refused(REASON, self.peer, len(messages) - len(new))
        if not await server.intake.put_all_kept(new):
            raise Refused(503, "unavailable", "the collector is stopping", ends=True)
        if self.transport.is_closing():
            again.left(messages)

    # octets

    async def _body(self) -> Any:
        until = asyncio.get_running_loop().time() + BODY_S
        if self._http.they_are_waiting_for_100_continue:
            self.transport.write(self._http.send(h11.InformationalResponse(status_code=100, headers=[])) or b"")
        while True:
            event = await self._next(until - asyncio.get_running_loop().time())
            if not isinstance(event, h11.Data):
                return
            yield bytes(event.data)

    async def _drain(self) -> None:
        """Read the body for nothing, so that the answer is seen and the connection goes on."""
        if self._http.they_are_waiting_for_100_continue or self._http.their_state is not h11.SEND_BODY:
            return
        octets = 0
        async for data in self._body():
            octets += len(data)
            if octets > REQUEST_OCTETS:
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

    def _answer(self, status: int, document: dict[str, Any], *, ends: bool = False) -> None:
        self._send(status, json.dumps(document, separators=(",", ":")).encode(), ends=ends)

    def _send(self, status: int, body: bytes, *, ends: bool = False) -> None:
        headers = [
            (b"content-type", self._media),
            (b"content-length", b"%d" % len(body)),
            (b"x-elastic-product", b"Elasticsearch"),
        ]
        if status == 401:
            headers.append((b"www-authenticate", _ASK))
        if ends or self._is_leaving:
            headers.append((b"connection", b"close"))
        events: list[h11.Event] = [h11.Response(status_code=status, headers=headers)]
        events += [] if self._is_head else [h11.Data(data=body)]
        self.transport.write(b"".join(self._http.send(event) or b"" for event in [*events, h11.EndOfMessage()]))


def _cut(data: bytes) -> Iterator[bytes]:
    """Octets in pieces that take milliseconds."""
    for start in range(0, len(data), PIECE_OCTETS):
        yield data[start : start + PIECE_OCTETS]
