"""What the worker that empties the spool needs of a store, and nothing more.

The store keeps the worker's checkpoint with the events: whatever is killed, whenever, reading goes on where
nothing is missing, and nothing is there twice. The embedded store publishes both in one step; Elasticsearch
cannot, so the checkpoint follows, and what is sent again has the id of what is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from monitoring.event import Event
from monitoring.retention import Retention
from monitoring.rows import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An event the store does not take; it becomes a dead letter."""

    index: int  # in the sequence given to `write`
    reason: str  # a word for counting ("type-conflict"), then ": " and detail if there is any


class EventSink(Protocol):
    """The writing side of a store. One process writes; `monitoring.store.writer(data_dir)` gives it."""

    @property
    def checkpoint(self) -> Mapping[str, Any]:
        """As given to the last `commit` that returned; empty for a new store."""

    def write(self, events: Sequence[Event]) -> Sequence[Refusal]:
        """Take events in; what is refused for good is told. Raises StoreError when it cannot go on.

        Nobody should count on reading them before `commit`, nor on not reading them.
        """

    def commit(self, checkpoint: Mapping[str, Any]) -> None:
        """Make everything written readable and durable together with `checkpoint` (small, JSON), or nothing of it.

        Raises StoreError; the caller then drops this sink, opens a new one and starts again at its checkpoint.
        """

    def close(self) -> None:
        """Let go of locks and files; what was not committed is gone."""


@runtime_checkable
class RowsSink(EventSink, Protocol):
    """A sink that takes columns too, whoever made them, and refuses none."""

    @property
    def retention(self) -> Retention:
        """What they are to be made with."""

    def take(self, parts: Sequence[Rows]) -> None:
        """As `write`."""
