"""What a sender may send again: kept messages whose answer it may not have seen, remembered for a while.

A sender that waits for an answer keeps its message until it has it. When we are killed between fsync and answer, or
the connection ends there, the message is here and comes again. RELP numbers it anew on the next connection and
`_bulk` has no numbers, so the protocol cannot tell it from a second one that is the same octet for octet. What can be
told: unanswered messages come again in their order, from the same address, first thing. So the end of what each
connection brought is remembered (after a start: from the end of the spool), and where a connection or a request
begins within it, what follows in the same order is known already. What a sender saw answered is forgotten: a connection
that ends in good order has seen all of it, one that breaks leaves its memory to the next.

An inform has a request-id that stays when it is sent again: there it is a plain question whether it was kept.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitoring.spool import Received, SpoolReader

ANSWERED = frozenset({"relp-tcp", "relp-tls", "bulk"})
INFORMS = "snmp-trap"
TAIL_OCTETS = 4 * 1024 * 1024  # of a spool; read in a tenth of a second or two
BEFORE_THE_END = timedelta(seconds=60)  # what came earlier was answered, or its sender has given up
REMEMBERED_S = 600.0  # the longest that the agents we know wait before they try again
EXPECTED_S = 5.0  # between two requests that are parts of one batch
INFORM_S = 120.0  # Cisco's default: three tries, 15 s apart
MOST = 100_000  # messages remembered
WINDOW = 1024  # messages of a RELP sender without answer; librelp has 128 unless told otherwise
REASON = "sent-again"

_Sender = tuple[str, str]  # receiver and address
_Run = list[int]


@dataclass(slots=True)
class _Memory:
    at: float  # monotonic seconds
    run: _Run  # in order; what a sender saw answered is cut off its front


class Again:
    """Of one receiving process; belongs to the event loop's thread."""

    def __init__(self) -> None:
        self._runs: dict[_Sender, list[_Memory]] = {}
        self._informs: dict[int, float] = {}  # when they were kept, oldest first
        self._held = 0  # messages in all runs, or more: those forgotten since are not taken off

    def remember(self, reader: SpoolReader, ended: datetime, now: float) -> None:
        """The end of the spool. ended: when its writer was last seen; now: monotonic seconds. Raises SpoolError."""
        runs: dict[tuple[str, str, int], _Run] = {}
        position = max(reader.start, reader.end - TAIL_OCTETS)
        while True:
            records, position = reader.read(position, 10_000)
            if not records:
                break
            for record in records:
                if record.received < ended - BEFORE_THE_END:
                    continue
                if record.receiver in ANSWERED:
                    runs.setdefault((record.receiver, record.peer, record.peer_port), []).append(hash(record.raw))
                elif record.receiver == INFORMS:
                    self._informs[_inform(record.peer, record.raw)] = now
        for (receiver, peer, _), run in runs.items():
            self._add((receiver, peer), run if receiver == "bulk" else run[-WINDOW:], now)
        self._bound()

    def left(self, messages: Sequence[Received]) -> None:
        """Messages of one connection were kept, and it ended before they were answered."""
        if messages:
            run = [hash(m.raw) for m in messages]
            self._add((messages[0].receiver, messages[0].peer), run, time.monotonic())
            self._bound()

    def follower(self, receiver: str, peer: str) -> Follower:
        """For what comes over a new connection."""
        return Follower(self, (receiver, peer))

    def with_message(self, sender: _Sender, digest: int, but: Sequence[_Memory]) -> _Memory | None:
        """The memory that has this message, if any; but those."""
        held = self._runs.get(sender)
        if not held:
            return None
        since = time.monotonic() - REMEMBERED_S
        held[:] = [memory for memory in held if memory.run and memory.at >= since]
        return next((m for m in held if digest in m.run and all(m is not one for one in but)), None)

    def has_inform(self, peer: str, raw: bytes) -> bool:
        """Whether the same one was kept a moment ago."""
        at = self._informs.get(_inform(peer, raw))
        return at is not None and time.monotonic() - at <= INFORM_S

    def kept_inform(self, peer: str, raw: bytes) -> None:
        key = _inform(peer, raw)
        self._informs.pop(key, None)
        self._informs[key] = time.monotonic()
        self._bound()

    def _add(self, sender: _Sender, run: _Run, now: float) -> None:
        self._runs.setdefault(sender, []).append(_Memory(now, run))
        self._held += len(run)

    def _bound(self) -> None:
        """The oldest go first, half at once: counting what is held takes milliseconds."""
        while len(self._informs) > MOST:
            del self._informs[next(iter(self._informs))]
        if self._held <= MOST:
            return
        self._held = sum(len(memory.run) for held in self._runs.values() for memory in held)
        while self._held > MOST // 2:
            sender = next(iter(self._runs))
            self._held -= sum(len(memory.run) for memory in self._runs.pop(sender))


class Follower:
    """Tells new messages from those sent again, as long as they come in the order they were kept in.

    One a connection. Where its messages come in requests, a batch may come again cut into several (rsyslog sends one
    message a request then): what is expected next is expected for a moment longer.
    """

    def __init__(self, again: Again, sender: _Sender) -> None:
        self._again, self._sender = again, sender
        self._taken: list[_Memory] = []  # the last one is where we are
        self._rest: _Run = []  # what is expected next, last one first
        self._matched_at = 0.0  # monotonic seconds
        self._begins, self._is_over = True, False

    def new(self, messages: Iterable[Received], *, begins: bool = False) -> list[Received]:
        """Those of the next messages that are not kept already. begins: they are a request's, so its sender has seen
        the answer to the one before."""
        if begins:
            self._settle()
            self._is_over, self._begins = False, True
            if time.monotonic() - self._matched_at > EXPECTED_S:
                self._rest = []
        if self._is_over:
            return list(messages)
        return [m for m in messages if not self._is_known(hash(m.raw))]

    def end(self, *, is_clean: bool) -> None:
        """The connection has ended: in the middle of something, or (is_clean) with all answers seen."""
        if is_clean:
            self._settle()

    def _settle(self) -> None:
        """Forget what came by now."""
        for memory in self._taken[:-1]:
            memory.run = []
        for memory in self._taken[-1:]:
            if len(self._rest) < len(memory.run):
                memory.run = self._rest[::-1]

    def _is_known(self, digest: int) -> bool:
        if self._is_over:
            return False
        if self._rest[-1:] != [digest] and (self._begins or not self._rest):
            self._look(digest)
        self._begins = False
        if self._rest[-1:] == [digest]:
            self._rest.pop()
            self._matched_at = time.monotonic()
            return True
        self._is_over = True
        return False

    def _look(self, digest: int) -> None:
        """At the beginning; or at the end of a memory: what was kept after another start may follow."""
        memory = self._again.with_message(self._sender, digest, self._taken)
        if memory is not None:
            self._taken.append(memory)
            self._rest = memory.run[memory.run.index(digest) :][::-1]


def _inform(peer: str, raw: bytes) -> int:
    return hash((peer, raw))
