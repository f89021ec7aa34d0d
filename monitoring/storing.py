"""The worker that empties the spool: record ► event ► store, each exactly once.

Its place in every spool and its counts are the store's checkpoint, committed in one step with
the events. Killed anywhere, it starts again exactly behind what is stored. It runs as a process of its
own (`python -m monitoring.storing`), because a store's libraries need more memory than receiving.
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from inventory.errors import OpsError
from monitoring.dead import DeadLetters
from monitoring.durable import replace_json
from monitoring.errors import StoreError
from monitoring.event import Event
from monitoring.sink import EventSink
from monitoring.spool import SpoolReader, SpoolRecord, Tally, spools

READER = "store"
BATCH = 2000
COMMIT_S = 1.5  # received to searchable within 5 s, with room for a busy machine
COMMIT_EVENTS = 50_000
IDLE_S = 0.1
DRAIN_S = 12.0

log = logging.getLogger("canh.store")


class Progress:
    """How far one spool is stored, and how its records ended, by source."""

    def __init__(self, saved: Mapping[str, Any]) -> None:
        self.position = int(saved.get("position", 0))
        self.stored = Tally(saved.get("stored", {}))
        self.dead = {str(k): Tally(v) for k, v in dict(saved.get("dead", {})).items()}
        self.damaged_octets = int(saved.get("damaged_octets", 0))
        self.missing_octets = int(saved.get("missing_octets", 0))

    def document(self) -> dict[str, Any]:
        return {
            "position": self.position,
            "stored": dict(self.stored.counts),
            "dead": {reason: dict(t.counts) for reason, t in self.dead.items()},
            "damaged_octets": self.damaged_octets,
            "missing_octets": self.missing_octets,
        }


class Storer:
    """Moves records of every spool of a data directory into a sink, in batches."""

    def __init__(self, data_dir: Path, event_of: Callable[[SpoolRecord], Event], sink: EventSink) -> None:
        """Goes on at the sink's checkpoint. Raises OSError when dead letters cannot be taken back."""
        self._data_dir, self._event_of, self._sink = data_dir, event_of, sink
        saved = dict(sink.checkpoint)
        self._progress = {UUID(k): Progress(v) for k, v in dict(saved.get("spools", {})).items()}
        self._dead_mark: dict[str, Any] = dict(saved.get("dead", {}))
        self._dead = DeadLetters(data_dir / "dead")
        self._dead.restore(self._dead_mark)
        self._readers: dict[Path, SpoolReader] = {}
        self._uncommitted = 0
        self._since = 0.0
        self._tell()

    def step(self) -> int:
        """Move up to a batch of each spool, commit when it is time; returns how many records it moved."""
        moved = sum(self._move(self._reader(directory)) for directory in spools(self._data_dir))
        if moved and not self._uncommitted:
            self._since = time.monotonic()
        self._uncommitted += moved
        due = time.monotonic() - self._since >= COMMIT_S or self._uncommitted >= COMMIT_EVENTS
        if self._uncommitted and due:
            self.commit()
        return moved

    def commit(self) -> None:
        """Make everything moved so far durable and readable. Raises StoreError, OSError."""
        self._dead_mark = self._dead.mark(self._dead_mark)
        self._sink.commit(self._document())
        self._uncommitted = 0
        self._tell()

    def _document(self) -> dict[str, Any]:
        progress = {str(spool): p.document() for spool, p in self._progress.items()}
        return {"spools": progress, "dead": self._dead_mark}

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
        damaged, missing = reader.damaged_octets, reader.missing_octets
        records, progress.position = reader.read(progress.position, BATCH)
        progress.damaged_octets += reader.damaged_octets - damaged
        progress.missing_octets += reader.missing_octets - missing
        taken, events = [], []
        for record in records:
            try:
                events.append(self._event_of(record))
                taken.append(record)
            except Exception as fault:  # a defect must not stop the stream, nor lose the message
                self._bury(progress, record, None, f"no-event: {type(fault).__name__}: {fault}")
        refused = {r.index: r.reason for r in self._sink.write(events)} if events else {}
        for index, record in enumerate(taken):
            if index in refused:
                self._bury(progress, record, events[index], refused[index])
            else:
                progress.stored.add(record.source)
        return len(records)

    def _bury(self, progress: Progress, record: SpoolRecord, event: Event | None, reason: str) -> None:
        self._dead.add(record, event, reason)
        progress.dead.setdefault(reason.partition(": ")[0], Tally()).add(record.source)


def store_for_ever(
    data_dir: Path, event_of: Callable[[SpoolRecord], Event], open_sink: Callable[[], EventSink], stop: threading.Event
) -> None:
    """Until `stop`, then drain and commit. What the store refuses as a whole is tried again, with pauses."""
    pause_s = 0.5
    while True:
        sink: EventSink | None = None
        try:
            sink = open_sink()
            storer = Storer(data_dir, event_of, sink)
            while not stop.is_set():
                if not storer.step():
                    stop.wait(IDLE_S)
                pause_s = 0.5
            _drain(storer)
            return
        except (StoreError, OSError) as error:
            log.error("cannot store: %s", error)
        finally:
            if sink is not None:
                sink.close()
        if stop.wait(pause_s):
            return
        pause_s = min(pause_s * 2, 15.0)


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
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="canh store: %(message)s", stream=sys.stderr)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_wait_for_end, args=(stop,), daemon=True).start()
    # Imported late: a wrong argument should not cost the second these libraries take.
    from inventory import load
    from monitoring.pipeline import Pipeline
    from monitoring.store import writer

    try:
        province = load(args.province)
        pipeline = Pipeline(province, args.data)
        retention = {"": province.policy.log_retention}
        store_for_ever(args.data, pipeline.event_of, lambda: writer(args.data, retention=retention), stop)
    except OpsError as error:
        print(f"canh store: {error}", file=sys.stderr)
        return 2
    return 0


def _wait_for_end(stop: threading.Event) -> None:
    sys.stdin.buffer.read()
    stop.set()


if __name__ == "__main__":
    sys.exit(main())
