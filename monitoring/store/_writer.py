"""Writing: events become segments; segments and the checkpoint become visible together.

A segment is written under a hidden name, fsynced and renamed before a manifest names it. Whatever
is killed whenever: the manifest names whole segments only, and the checkpoint that says what they
hold. Files no manifest names are removed when the writer starts.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event as Flag
from threading import Lock, Thread
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import pyarrow as pa

from monitoring.errors import StoreError
from monitoring.event import Event
from monitoring.retention import Retention, Steady
from monitoring.rows import Rows, rows_of
from monitoring.sink import Refusal
from monitoring.store import _columns, _grams, _maintenance, _manifest
from monitoring.store._manifest import Manifest, Segment
from monitoring.store._segment import write_tables
from monitoring.store.lock import locked

MAINTAIN_EVERY_S = 15.0

log = logging.getLogger("canh.store")


class StoreWriter:
    """The one writer of a store. Not for several threads at once but for its own maintenance."""

    def __init__(self, data_dir: Path, *, retention: Retention | None = None) -> None:
        """Raises StoreError when another process writes this store or its folder cannot be written."""
        self._folder = Path(data_dir) / "store"
        self.retention = retention or Retention()
        self._steady = Steady()
        self._changing = Lock()
        self._pending: dict[tuple[str, str], list[pa.Table]] = {}
        self._stop = Flag()
        self._thread: Thread | None = None
        self._lock = locked(self._folder)
        self._manifest = _manifest.load(self._folder)
        self._remove_orphans()

    @property
    def checkpoint(self) -> Mapping[str, Any]:
        """As given to the last `commit` that returned; empty for a new store."""
        return dict(self._manifest.checkpoint)

    def write(self, events: Sequence[Event]) -> Sequence[Refusal]:
        """Take events in; nobody can read them before `commit`. Every event is taken: none is refused."""
        self.take(rows_of([event.fields for event in events], self.retention))
        return ()

    def take(self, parts: Sequence[Rows]) -> None:
        """Take events in that are columns already, made with this writer's retention."""
        for part in parts:
            table = _columns.table(part.size, part.columns)
            self._pending.setdefault((part.stream, part.hour), []).append(table)

    def commit(self, checkpoint: Mapping[str, Any]) -> None:
        """Make what was written durable and readable together with `checkpoint`, or nothing of it.

        Raises StoreError on a full or failing disk; drop this writer then and open a new one.
        """
        written: list[Segment] = []
        try:
            for (stream, hour), tables in sorted(self._pending.items()):
                name = f"{stream}/{hour}/{uuid4().hex}.parquet"
                table = pa.concat_tables(tables)
                level = _maintenance.level_of(len(table))
                written.append(write_tables(self._folder, name, [table], level=level))
            with self._changing:
                segments = (*self._manifest.segments, *written)
                self._publish(replace(self._manifest, segments=segments, checkpoint=checkpoint))
        except (OSError, pa.ArrowException) as error:
            self._discard(written)
            raise StoreError(
                f"the store cannot be written: {error}", where=self._folder, fix="free disk space or check permissions"
            ) from error
        self._pending.clear()

    def maintain(self, now: datetime | None = None) -> None:
        """Merge small segments, drop expired ones, unlink what has been retired long enough."""
        deletes_at = now or self._steady.now()
        _maintenance.run(self._folder, self.retention, now or datetime.now(UTC), self._current, self._apply, deletes_at)

    def start(self) -> None:
        """Maintain in the background until `close`."""
        if self._thread is None:
            self._thread = Thread(target=self._maintain_for_ever, name="store-maintenance", daemon=True)
            self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _current(self) -> Manifest:
        return self._manifest

    def _apply(self, change: _maintenance.Change) -> None:
        """Publish what maintenance did to the manifest as it is by now."""
        with self._changing:
            self._publish(change.applied_to(self._manifest))

    def _publish(self, manifest: Manifest) -> None:
        manifest = replace(manifest, generation=self._manifest.generation + 1)
        _manifest.publish(self._folder, manifest)
        self._manifest = manifest

    def _discard(self, segments: list[Segment]) -> None:
        for segment in segments:
            with suppress(OSError):
                (self._folder / segment.file).unlink()

    def _remove_orphans(self) -> None:
        """Remove what a killed writer left: no reader can know of it."""
        named = {s.file for s in self._manifest.segments} | {file for file, _ in self._manifest.retired}
        for file in self._folder.glob("*/*/*"):
            if str(file.relative_to(self._folder)).removesuffix(_grams.SUFFIX) not in named:
                with suppress(OSError):
                    file.unlink()
        for folder in self._folder.glob("*/*/"):
            with suppress(OSError):  # not empty
                folder.rmdir()

    def _maintain_for_ever(self) -> None:
        while not self._stop.wait(MAINTAIN_EVERY_S):
            try:
                self.maintain()
            except Exception as error:  # the next round tries again; without maintenance the store still works
                log.warning("the store cannot be maintained: %s", error)
