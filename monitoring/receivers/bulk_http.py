"""Elasticsearch's `_bulk` over HTTP: who may, how much of it, and what becomes of the documents; answered after fsync.

A request shows a token before its body is looked at, and nobody holds more memory than a request may have. When the
spool takes nothing, a request waits a moment and is then told to come again (429).
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote

from monitoring.receivers.again import REASON, Follower
from monitoring.receivers.bulk import BulkReader, Item, MalformedBulk, TooManyLines, answer_of
from monitoring.receivers.elastic_facts import answer_to
from monitoring.receivers.gunzip import Gunzip
from monitoring.receivers.http import Headers, HttpConnection, Refused
from monitoring.receivers.streams import StreamConnection, StreamReceiver
from monitoring.spool import Received
from pki import PkiError, Tokens

REQUEST_OCTETS = 32 * 1024 * 1024  # of a body, as sent and unpacked
HELD_OCTETS = 128 * 1024 * 1024  # of all bodies under way
PIECE_OCTETS = 64 * 1024  # of a body, between two of which the others have their turn
PATIENCE_S = 10.0  # of a request for a spool that takes nothing
_BULK = re.compile(r"(?:/([^/]+))?/_bulk/?")

log = logging.getLogger("canh.collect")


@dataclass(slots=True)
class BulkService:
    """What the connections of a receiver share."""

    tokens: Tokens
    held_octets: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


def bulk_connection(tokens: Tokens) -> Callable[[StreamReceiver], StreamConnection]:
    """Makes the connections of one receiver."""
    service = BulkService(tokens)
    return lambda server: BulkConnection(server, service)


class BulkConnection(HttpConnection):
    """One agent."""

    def __init__(self, server: StreamReceiver, service: BulkService) -> None:
        super().__init__(server, service.tasks)
        self._service = service
        self._held = 0  # octets of memory of the request under way
        self._follower: Follower | None = None  # from the first documents on

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._follower is not None:
            self._follower.end(is_clean=exc is None and self.is_between)

    async def obey(self, method: str, target: str, headers: Headers) -> None:
        self._authorise(headers.get(b"authorization", b""))
        path = unquote(target.partition("?")[0])
        bulk = _BULK.fullmatch(path)
        if bulk is not None and method in ("POST", "PUT"):
            await self._bulk(bulk[1] or "", headers)
            return
        answer = answer_to(method, path.rstrip("/") or "/")
        if answer is None:
            raise Refused(404, "not_found", "only _bulk is served here, and what agents ask before it")
        await self.drain()
        self.answer(200, answer)

    def released(self) -> None:
        self._service.held_octets -= self._held
        self._held = 0

    def _authorise(self, shown: bytes) -> None:
        try:
            owner = self._service.tokens.owner_of(shown.decode("latin-1"))
        except PkiError as error:
            log.error("%s", error)
            owner = ""
        if not owner:
            raise Refused(401, "security_exception", "show a token that `canh pki token add` made", counted="token")

    # documents

    async def _bulk(self, index: str, headers: Headers) -> None:
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
        self.send(200, bytes(body))

    def _hang_up_on(self, headers: Headers) -> None:
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
            if time.monotonic() > until or self.is_leaving or self.transport.is_closing():
                return False
            await asyncio.sleep(0.1)
        return True

    async def _read(self, reader: BulkReader, gunzip: Gunzip | None) -> tuple[Item, ...]:
        """The body, taken piece by piece; between two the others have their turn."""
        sent = unpacked = 0
        try:
            async for data in self.body():
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
        if self._follower is None:
            self._follower = again.follower(server.receiver, self.peer)
        new = self._follower.new(messages, begins=True)
        if len(new) < len(messages):
            server.refused(REASON, self.peer, len(messages) - len(new))
        if not await server.intake.put_all_kept(new):
            raise Refused(503, "unavailable", "the collector is stopping", ends=True)
        if self.transport.is_closing():
            again.left(messages)


def _cut(data: bytes) -> Iterator[bytes]:
    """Octets in pieces that take milliseconds."""
    for start in range(0, len(data), PIECE_OCTETS):
        yield data[start : start + PIECE_OCTETS]
