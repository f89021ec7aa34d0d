"""Live updates: one task watches the store for changed cases and wakes every open page.

A page gets what changed since the `seq` it knows, so a lost connection loses nothing; a page that
does not keep up is let go and connects again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime

from starlette.concurrency import run_in_threadpool

from soc.cases import CaseStore
from soc.errors import DatabaseError

POLL_S = 0.5
RETURN_EVERY = 10  # polls between looks for acknowledgements that ended
MAX_PAGES = 200
_log = logging.getLogger(__name__)


class Live:
    """Wakes subscribers when `cases` moved. `run` is the task; `close` lets every page go."""

    def __init__(
        self,
        cases: CaseStore,
        now: Callable[[], datetime],
        look_after_held: Callable[[datetime], object] = lambda _: None,
    ) -> None:
        """look_after_held: tells of alerts whose change is over (`soc.hold_keeper`)."""
        self._cases, self._now, self._look_after_held = cases, now, look_after_held
        self._pages: set[asyncio.Event] = set()
        self.seq = 0
        self.is_closing = False

    async def run(self) -> None:
        """Watch until cancelled. A database that cannot be read is tried again; pages see the lag."""
        turn = 0
        while True:
            try:
                if turn % RETURN_EVERY == 0:
                    await run_in_threadpool(self._cases.return_expired, self._now())
                    await run_in_threadpool(self._look_after_held, self._now())
                newest = await run_in_threadpool(self._cases.seq)
                if newest != self.seq:
                    self.seq = newest
                    self._wake()
            except DatabaseError as error:
                _log.warning("live updates wait: %s", error.what)
            turn += 1
            await asyncio.sleep(POLL_S)

    @asynccontextmanager
    async def page(self) -> AsyncIterator[asyncio.Event | None]:
        """An event that is set when there is something new; None when too many pages are open."""
        if len(self._pages) >= MAX_PAGES or self.is_closing:
            yield None
            return
        event = asyncio.Event()
        self._pages.add(event)
        try:
            yield event
        finally:
            self._pages.discard(event)

    async def wait(self, event: asyncio.Event, timeout_s: float) -> None:
        """Until something is new or the time is over."""
        with suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), timeout_s)
        event.clear()

    def close(self) -> None:
        self.is_closing = True
        self._wake()

    def _wake(self) -> None:
        for event in self._pages:
            event.set()
