"""The worker that empties the spool: record ► event ► store, each exactly once.

Its place in every spool and its counts are the store's checkpoint, committed in one step with
the events. Killed anywhere, it starts again exactly behind what is stored. It runs as a process of its
own (`python -m monitoring.storing`), because a store's libraries need more memory than receiving.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from inventory.errors import OpsError
from inventory.model import Province
from monitoring.ahead import Extent, read
from monitoring.dead import DeadLetters
from monitoring.durable import replace_json
from monitoring.errors import SpoolError, StoreError
from monitoring.event import Event, Value
from monitoring.heard import Heard
from monitoring.parsing import Parsed, Parsers, parsed
from monitoring.progress import Progress
from monitoring.senders import ORDINARY, Senders
from monitoring.settling import REPLAY, Asked, Settling
from monitoring.sink import EventSink, RowsSink
from monitoring.spool import SpoolReader, SpoolRecord, Tally, spools
from monitoring.watch import Watch

READER = "store"
BATCH = 2000
BEHIND_OCTETS = 1024 * 1024  # of spool: two batches or so
COMMIT_S = 1.5  # received to searchable within 5 s, with room for a busy machine
COMMIT_EVENTS = 50_000
IDLE_S = 0.1
NICE = 5  # receiving goes first: what is spooled can wait, a datagram cannot
DRAIN_S = 12.0

Fields = dict[str, Value]

log = logging.getLogger("canh.store")


class Storer:
    """Moves records of every spool of a data directory into a sink, in batches."""

    def __init__(
        self,
        data_dir: Path,
        event_of: Callable[[SpoolRecord], Event],
        sink: EventSink,
        *,
        province: Province | None = None,
        parsers: Parsers | None = None,
        followed: Callable[[Fields], Event] = Event,
    ) -> None:
        """Goes on at the sink's checkpoint.

        parsers: processes that parse when we are behind; followed: makes events of what they made, in order.
        province: whose devices are watched for silence, and how long dead letters are kept; None: not at all,
        and for ever. Raises OSError when dead letters cannot be taken back, SpoolError when the
        spool of our own messages cannot be written.
        """
        self._data_dir, self._event_of, self._sink = data_dir, event_of, sink
        self._parsers, self._followed = parsers or Parsers(BATCH), followed
        self._parsers.retention = sink.retention if isinstance(sink, RowsSink) else None
        saved = dict(sink.checkpoint)
        self._progress = {UUID(k): Progress(v) for k, v in dict(saved.get("spools", {})).items()}
        self._dead_mark: dict[str, Any] = dict(saved.get("dead", {}))
        self._dead = DeadLetters(data_dir / "dead")
        self._dead.restore(self._dead_mark)
        self._senders = Senders(saved.get("senders"))
        self._settling = Settling(self._dead, data_dir, None if province is None else province.policy.log_retention)
        self._watch = None if province is None else Watch(province, data_dir, saved.get("watch", {}))
        self._readers: dict[Path, SpoolReader] = {}
        self._uncommitted = 0
        self._since = 0.0
        self._read_to_s = 0.0  # seconds since 1970 UTC: what was received up to then was read, in every spool
        try:
            self._tell()
        except OSError:
            self.close()
            raise

    def step(self) -> int:
        """Move up to a batch of each spool, commit when it is time; returns how many records it moved."""
        self._read_to_s = time.time()
        moved = sum(self._move(self._reader(directory)) for directory in spools(self._data_dir))
        if moved and not self._uncommitted:
            self._since = time.monotonic()
        self._uncommitted += moved
        if self._is_due():
            self.commit()
        self._settle()
        return moved

    def _is_due(self) -> bool:
        if self._watch is not None and self._watch.is_due and self._watch.look(self._read_to_s):
            return True
        due = time.monotonic() - self._since >= COMMIT_S or self._uncommitted >= COMMIT_EVENTS
        return bool(self._uncommitted) and due

    def commit(self) -> None:
        """Make everything moved so far durable and readable. Raises StoreError, OSError."""
        self._dead_mark = self._dead.mark(self._dead_mark)
        self._sink.commit(self._document())
        self._uncommitted = 0
        if self._watch is not None:
            self._watch.committed()
        self._tell()

    def close(self) -> None:
        """Let go of our own spool; what was not committed is done again next time."""
        if self._watch is not None:
            self._watch.close()

    def _settle(self) -> None:
        """Do what was asked for dead letters, a part of it at a time, each committed before the next."""
        while (batch := self._settling.next_batch()) is not None:
            self._replay([x for x in batch.letters if x.action == REPLAY])
            for letter in (x for x in batch.letters if x.action != REPLAY):
                self._dead.settle(letter.event_id, letter.action)
                progress = self._progress.setdefault(letter.record.spool_id, Progress({}))
                progress.settled(letter)
            self.commit()
            batch.done()

    def _replay(self, letters: Sequence[Asked]) -> None:
        taken, events = [], []
        for letter in letters:
            try:
                event = self._event_of(letter.record)
                how = "edited" if letter.is_edited else "as-received"
                events.append(Event({**event.fields, "canh.replayed": how}))
                taken.append(letter)
            except Exception as fault:  # not mended yet
                self._dead_again(letter, None, f"no-event: {type(fault).__name__}: {fault}")
        refused = {r.index: r.reason for r in self._sink.write(events)} if events else {}
        for index, letter in enumerate(taken):
            if index in refused:
                self._dead_again(letter, events[index], refused[index])
            else:
                self._dead.settle(letter.event_id, "replayed")
                self._progress.setdefault(letter.record.spool_id, Progress({})).settled(letter)

    def _dead_again(self, letter: Asked, event: Event | None, reason: str) -> None:
        progress = self._progress.setdefault(letter.record.spool_id, Progress({}))
        progress.undo(letter)
        self._bury(progress, letter.record, event, reason)

    def _document(self) -> dict[str, Any]:
        progress = {str(spool): p.document() for spool, p in self._progress.items()}
        document = {"spools": progress, "dead": self._dead_mark, "senders": self._senders.document()}
        return document if self._watch is None else document | {"watch": self._watch.document()}

    def _tell(self) -> None:
        """Say how far it is: to the spools, which may remove what is behind, and to `canh stats`."""
        for directory in spools(self._data_dir):
            reader = self._reader(directory)
            reader.commit(READER, self._of(reader).position)
        stats = self._data_dir / "stats"
        stats.mkdir(parents=True, exist_ok=True)
        replace_json(stats / "store.json", {"process": "store", "at": time.time(), **self._document()})

    def _reader(self, directory: Path) -> SpoolReader:
        if directory not in self._readers:
            self._readers[directory] = SpoolReader(directory)
        return self._readers[directory]

    def _of(self, reader: SpoolReader) -> Progress:
        return self._progress.setdefault(reader.id, Progress({}))

    def _move(self, reader: SpoolReader) -> int:
        progress = self._of(reader)
        batch, extent, event_of = self._batch(reader, progress.position)
        progress.position = extent.next_position
        progress.damaged_octets += extent.damaged_octets
        progress.missing_octets += extent.missing_octets
        if isinstance(self._sink, RowsSink):
            self._sink.take(batch.parts)
        self._one_by_one(reader, progress, batch, event_of)
        self._note(progress, batch.heard)
        if extent.records:  # there may be more: we know only what came up to its moment
            self._read_to_s = min(self._read_to_s, extent.last_s)
        return extent.records

    def _one_by_one(
        self, reader: SpoolReader, progress: Progress, batch: Parsed, event_of: Callable[[Fields], Event]
    ) -> None:
        """What of a batch is no column yet; what is stored of it is heard too."""
        taken, events = [], []
        for index, (origin, fields) in enumerate(zip(batch.origins, batch.fields, strict=True)):
            if index in batch.faults:
                self._bury(progress, reader.at(origin.position), None, batch.faults[index])
            else:
                taken.append(origin)
                events.append(event_of(fields))
        refused = {r.index: r.reason for r in self._sink.write(events)} if events else {}
        for index, origin in enumerate(taken):
            if index in refused:
                self._bury(progress, reader.at(origin.position), events[index], refused[index])
            else:
                batch.heard.add(origin.receiver, origin.peer, origin.received_s, events[index].fields)

    def _batch(self, reader: SpoolReader, position: int) -> tuple[Parsed, Extent, Callable[[Fields], Event]]:
        """The next records as fields, and what makes events of them: here, or by several processes when behind."""
        is_behind = reader.end - position > BEHIND_OCTETS or self._parsers.is_ahead(reader.directory)
        if self._parsers and is_behind:
            return *self._parsers.take(reader.directory, position), self._followed
        records, extent = read(reader, position, BATCH)
        made = parsed(records, self._parsers.retention, lambda record: dict(self._event_of(record).fields))
        return made, extent, Event

    def _note(self, progress: Progress, heard: Heard) -> None:
        """Who sent what is stored, and that it still sends."""
        for sender, n in heard.counts():
            progress.stored.add(f"{sender.receiver} {sender.peer}", n)
            if sender.kind not in ORDINARY:
                self._senders.add(sender.receiver, sender.peer, sender.kind, sender.claimed, n)
        if self._watch is not None:
            for at_s, device, receiver in heard.moments():
                self._watch.saw(device, receiver, at_s)

    def _bury(self, progress: Progress, record: SpoolRecord, event: Event | None, reason: str) -> None:
        self._dead.add(record, event, reason)
        progress.dead.setdefault(reason.partition(": ")[0], Tally()).add(record.source)


def store_for_ever(
    data_dir: Path,
    event_of: Callable[[SpoolRecord], Event],
    open_sink: Callable[[], EventSink],
    stop: threading.Event,
    *,
    province: Province | None = None,
    parsers: Parsers | None = None,
    followed: Callable[[Fields], Event] = Event,
) -> None:
    """Until `stop`, then drain and commit. What the store refuses as a whole is tried again, with pauses."""
    pause_s = 0.5
    while True:
        sink: EventSink | None = None
        storer: Storer | None = None
        try:
            sink = open_sink()
            storer = Storer(data_dir, event_of, sink, province=province, parsers=parsers, followed=followed)
            while not stop.is_set():
                if not storer.step():
                    stop.wait(IDLE_S)
                pause_s = 0.5
            _drain(storer)
            return
        except (StoreError, SpoolError, OSError) as error:
            log.error("cannot store: %s", error)
        finally:
            _close(storer, sink)
        if stop.wait(pause_s):
            return
        pause_s = min(pause_s * 2, 15.0)


def _close(storer: Storer | None, sink: EventSink | None) -> None:
    if storer is not None:
        with suppress(OSError):
            storer.close()
    if sink is not None:
        sink.close()


def _drain(storer: Storer) -> None:
    until = time.monotonic() + DRAIN_S
    while storer.step() and time.monotonic() < until:
        pass
    storer.commit()


def main() -> int:
    """The process. Ends when its standard input ends (the collector is gone) or on SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m monitoring.storing")
    parser.add_argument("province", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--parsers", type=int, default=0, metavar="N", help="processes that parse when one is behind")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="canh store: %(message)s", stream=sys.stderr)
    os.nice(NICE)
    from inventory import load
    from monitoring.pipeline import Pipeline

    try:
        province = load(args.province)
        pipeline = Pipeline(province, args.data)
        parsers = Parsers(BATCH)
        parsers.start(args.parsers, pipeline.fields_of)
        stop = _told_to_stop()
        # Imported after the fork: these libraries have threads.
        from monitoring.retention import retention_of
        from monitoring.store import writer

        open_sink = partial(writer, args.data, retention=retention_of(province.policy))
        store_for_ever(
            args.data,
            pipeline.event_of,
            open_sink,
            stop,
            province=province,
            parsers=parsers,
            followed=pipeline.followed,
        )
    except OpsError as error:
        print(f"canh store: {error}", file=sys.stderr)
        return 2
    return 0


def _told_to_stop() -> threading.Event:
    """Set when SIGTERM comes or our standard input ends."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_wait_for_end, args=(stop,), daemon=True).start()
    return stop


def _wait_for_end(stop: threading.Event) -> None:
    sys.stdin.buffer.read()
    stop.set()


if __name__ == "__main__":
    sys.exit(main())
