"""From the receivers into the spool: group commit.

Receivers put messages in; a few milliseconds later all that came together goes to the
spool with one fsync, in a thread, while the event loop goes on receiving. When the spool
cannot take it, what has a sender that waits (TCP, informs) is kept and the sender made to
wait; what has none (UDP) is dropped and counted by source and reason. A spool that is nearly full
makes the senders wait that can, so that what is left of it is for the others.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from monitoring.errors import SpoolError, SpoolFull
from monitoring.receivers.again import ANSWERED, INFORMS, Again
from monitoring.receivers.counters import KILLED, Counters
from monitoring.receivers.taken import Taken
from monitoring.spool import Received, Spool, SpoolReader

LINGER_S = 0.002  # long enough for a batch, short against every limit we promise
RETRY_S = 0.5
BATCH_OCTETS = 8 * 1024 * 1024
STOP_READING_OCTETS = 16 * 1024 * 1024  # TCP senders wait from here on
GO_ON_OCTETS = 4 * 1024 * 1024
DROP_OCTETS = 64 * 1024 * 1024  # UDP is dropped from here on
NOT_KEPT = "not-kept"  # refused: its sender has it still
OVERHEAD = 250  # octets of memory a waiting message takes besides its text

log = logging.getLogger("canh.collect")


class Intake:
    """Owned by the event loop's thread; only `Spool.append` runs in another, one at a time."""

    def __init__(self, spool: Spool, counters: Counters) -> None:
        """Counts what an earlier process had taken and lost when it was killed, and remembers what it may not have
        answered. Raises OSError, SpoolError."""
        self.counters = counters
        self.again = Again()
        self.trouble: SpoolError | None = None  # why the spool takes nothing now
        self.held_octets = 0
        self._loose_octets = 0  # of these, what has no sender that waits
        self._retry_at = 0.0  # until then a refused spool is not asked again
        self._spool = spool
        self._waiting: list[Received] = []  # their senders wait: kept whatever happens
        self._loose: list[Received] = []  # dropped when the spool refuses them
        self._put = self._committed = 0  # of the waiting ones, in order
        self._promises: deque[tuple[int, int, asyncio.Future[None]]] = deque()  # the first and behind the last of them
        self._wake = asyncio.Event()
        self._room: list[Callable[[], None]] = []
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spool")
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._is_nearly_full = False
        self._taken = Taken(spool.directory)
        self._count_killed()
        self._remember()

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._commit_for_ever())

    async def stop(self) -> None:
        """Commit what is held; what the spool still refuses then is dropped and counted, or left to its sender."""
        self._stopping = True
        self._wake.set()
        if self._task is not None:
            await self._task
        self._thread.shutdown()
        self._taken.close()

    @property
    def tasks(self) -> tuple[asyncio.Task[None], ...]:
        """What runs for it, for its owner to watch."""
        return () if self._task is None else (self._task,)

    @property
    def is_full(self) -> bool:
        """Senders that can wait should be made to wait; `when_room` tells the end of it."""
        return self._is_nearly_full or self.held_octets > STOP_READING_OCTETS

    def nearly_full(self, is_so: bool) -> None:
        """Whether the spool has so little room left that senders which can wait have to."""
        self._is_nearly_full = is_so
        self._make_room()

    def when_room(self, call: Callable[[], None]) -> None:
        """Call once when messages may come again."""
        self._room.append(call)

    def put(self, messages: Sequence[Received]) -> None:
        """Messages of a sender that waits: kept until the spool has them."""
        if messages:
            self._taken.add(messages[0].receiver, len(messages))
            self._wait(messages)

    def took(self, receiver: str) -> Callable[[], None]:
        """What a receiver calls for each message at once as it takes it, before it has a batch of them."""
        return partial(self._taken.add, receiver, 1)

    def put_or_drop(self, messages: Sequence[Received], *, are_counted: bool = False) -> None:
        """Messages whose sender does not wait: dropped and counted when there is no place for them.

        are_counted: `took` was called for each.
        """
        if messages and not are_counted:
            self._taken.add(messages[0].receiver, len(messages))
        if self.trouble is not None and time.monotonic() < self._retry_at:
            self._drop(messages, _reason(self.trouble))
        elif self._loose_octets > DROP_OCTETS:  # what TCP brought counts against TCP alone
            self._drop(messages, "backlog")
        else:
            self._loose += messages
            self._loose_octets += self._hold(messages)

    async def put_kept(self, message: Received) -> bool:
        """Put one message; True when it is fsynced and may be acknowledged, False when it is not kept."""
        return not (self.trouble is not None or self.is_full) and await self.put_all_kept((message,))

    async def put_all_kept(self, messages: Sequence[Received]) -> bool:
        """Put messages of one receiver whose sender keeps them until we answer: True when all are fsynced.

        While the spool takes nothing it waits; False when the collector stops before they are kept.
        """
        if not messages:
            return True
        promise: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        first = self._put
        self._wait(messages)  # not taken before they are acknowledged: until then their sender has them
        self._promises.append((first, self._put, promise))
        try:
            await promise
        except asyncio.CancelledError:
            return False
        self._taken.add(messages[0].receiver, len(messages))
        return True

    async def in_spool_thread(self, call: Callable[[], None]) -> None:
        """Run something that touches the spool where nothing else does."""
        await asyncio.get_running_loop().run_in_executor(self._thread, call)

    async def _commit_for_ever(self) -> None:
        while not self._stopping:
            await self._wake.wait()
            await asyncio.sleep(LINGER_S)
            self._wake.clear()
            while (self._waiting or self._loose) and not self._stopping:
                if not await self._commit_once():
                    await asyncio.sleep(RETRY_S)
        while (self._waiting or self._loose) and await self._commit_once():
            pass
        if self.trouble is not None:
            self._lose(self._left_to_senders() + self._loose, self.trouble)
            self._waiting, self._loose = [], []
        for _, _, promise in self._promises:
            promise.cancel()

    def _left_to_senders(self) -> list[Received]:
        """Count what waits and its sender keeps, because it was not answered, as refused; returns the others."""
        asked = {n for first, behind, _ in self._promises for n in range(first, behind)}
        lost = []
        for n, message in enumerate(self._waiting, self._committed):
            if n in asked:
                self.counters.refused(NOT_KEPT, f"{message.receiver} {message.peer}")
            else:
                lost.append(message)
        return lost

    async def _commit_once(self) -> bool:
        """One batch. False: the spool refused; what can wait is held for another try, the rest is dropped."""
        waiting, self._waiting = _split(self._waiting)
        loose, self._loose = _split(self._loose)
        batch = waiting + loose
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._spool.append, batch)
        except SpoolError as error:
            self._waiting = waiting + self._waiting
            self._report(error)
            self._loose_octets -= _weight(loose)
            self._lose(loose, error)
            return False
        if self.trouble is not None:
            log.warning("the spool takes messages again")
            self.trouble = None
        self._committed += len(waiting)
        self._loose_octets -= _weight(loose)
        self._let_go(batch)
        while self._promises and self._promises[0][1] <= self._committed:
            promise = self._promises.popleft()[2]
            if not promise.done():
                promise.set_result(None)
        return True

    def _report(self, error: SpoolError) -> None:
        if self.trouble is None or self.trouble.what != error.what:
            log.error("%s", error)
        self.trouble = error
        self._retry_at = time.monotonic() + RETRY_S

    def _count_killed(self) -> None:
        """What was taken and is neither spooled nor dropped was lost when this process's predecessor was killed."""
        accounted = self._spool.received.by_receiver()
        for receiver, n in self.counters.dropped_after_taking().items():
            accounted[receiver] = accounted.get(receiver, 0) + n
        for receiver, n in self._taken.lost(accounted).items():
            log.warning("%d messages of %s were lost when the process was killed", n, receiver)
            self.counters.dropped(KILLED, f"{receiver} unknown", n)

    def _remember(self) -> None:
        """What was kept last and perhaps not answered; by all receiving processes, as a sender may come to any."""
        if not (ANSWERED | {INFORMS}) & self._spool.received.by_receiver().keys():
            return
        for found in sorted(self._spool.directory.parent.glob("*/spool.json")):
            self.again.remember(SpoolReader(found.parent), self.counters.saved_at, time.monotonic())

    def _wait(self, messages: Sequence[Received]) -> None:
        self._waiting += messages
        self._put += len(messages)
        self._hold(messages)

    def _hold(self, messages: Sequence[Received]) -> int:
        """Returns what they weigh."""
        weight = _weight(messages)
        self.held_octets += weight
        self._wake.set()
        return weight

    def _let_go(self, messages: Sequence[Received]) -> None:
        self.held_octets -= _weight(messages)
        self._make_room()

    def _make_room(self) -> None:
        if self._room and self.held_octets < GO_ON_OCTETS and not self._is_nearly_full:
            calls, self._room = self._room, []
            for call in calls:
                call()

    def _lose(self, messages: Sequence[Received], error: SpoolError) -> None:
        self._drop(messages, _reason(error))
        self._let_go(messages)

    def _drop(self, messages: Sequence[Received], reason: str) -> None:
        for message in messages:
            self.counters.dropped(reason, f"{message.receiver} {message.peer}")


def _weight(messages: Sequence[Received]) -> int:
    return sum([len(m[0]) for m in messages]) + OVERHEAD * len(messages)


def _split(queue: list[Received]) -> tuple[list[Received], list[Received]]:
    """The front of the queue that makes one batch, and the rest."""
    octets = 0
    for index, message in enumerate(queue):
        octets += len(message[0])
        if octets > BATCH_OCTETS:
            return queue[: index + 1], queue[index + 1 :]
    return queue, []


def _reason(error: SpoolError) -> str:
    return "spool-full" if isinstance(error, SpoolFull) else "spool-unwritable"
