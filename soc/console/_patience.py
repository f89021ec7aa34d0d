"""A limit on how long a client may take to send a request.

uvicorn ends a connection that is quiet between requests, but waits for ever for one that has begun:
each such connection keeps a descriptor, and a thousand of them keep everybody else out.
"""

from __future__ import annotations

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

REQUEST_WITHIN_S = 20.0  # from connecting, or from the first octet, to the last of the body
_ARRIVING = (h11.IDLE, h11.SEND_BODY)


class Patient(H11Protocol):
    """uvicorn's protocol, but a request has to arrive whole within REQUEST_WITHIN_S."""

    _arrival: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Start the clock while a request is on its way, stop it when it is here."""
        if self.conn.their_state not in _ARRIVING:
            self._forget()
        elif self._arrival is None:
            self._arrival = self.loop.call_later(REQUEST_WITHIN_S, self.transport.abort)

    def _forget(self) -> None:
        if self._arrival is not None:
            self._arrival.cancel()
            self._arrival = None
