"""What the store's worker gets of a batch of records, worked out here or by other processes (`monitoring.ahead`).

For a store that takes columns that is columns already and a few counts: taking 50 fields of each event apart
once more would cost the one who asked more than storing them. What needs the lines before (configuration
sessions) is left to it as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from monitoring.ahead import Ahead
from monitoring.event import Value
from monitoring.heard import Heard
from monitoring.retention import Retention
from monitoring.rows import Rows, rows_of
from monitoring.sessions import STEP
from monitoring.spool import SpoolRecord

FieldsOf = Callable[[SpoolRecord], dict[str, Value]]


class Origin(NamedTuple):
    """What of a record is needed beside its event."""

    position: int
    receiver: str
    peer: str
    received_s: float


@dataclass(slots=True)
class Parsed:
    """What was made of a batch, in order: events one by one, or columns of all that need nobody's look.

    faults: of records that gave no event, by index in `origins`; their fields are empty.
    heard: who sent what is in `parts`.
    """

    origins: list[Origin] = field(default_factory=list)
    fields: list[dict[str, Value]] = field(default_factory=list)
    faults: dict[int, str] = field(default_factory=dict)
    parts: list[Rows] = field(default_factory=list)
    heard: Heard = field(default_factory=Heard)


class Parsers(Ahead[Parsed]):
    """The processes of the store's worker. retention: of a store that takes columns; None: events are asked for."""

    retention: Retention | None = None

    def start(self, processes: int, fields_of: FieldsOf) -> None:
        """Fork them. Nothing here may have a thread yet."""
        self.begin(processes, partial(parsed, fields_of=fields_of), lambda: self.retention)


def parsed(records: list[SpoolRecord], retention: Retention | None, fields_of: FieldsOf) -> Parsed:
    """What some records are; a defect in one of them is a fault, no error. retention: for columns; None: events."""
    made = Parsed()
    ready: list[dict[str, Value]] = []
    for record in records:
        received_s = record.received.timestamp()
        try:
            fields = fields_of(record)
            if retention is not None and STEP not in fields:
                made.heard.add(record.receiver, record.peer, received_s, fields)
                ready.append(fields)
                continue
        except Exception as fault:  # it must not stop the stream, nor lose the message
            made.faults[len(made.origins)] = f"no-event: {type(fault).__name__}: {fault}"
            fields = {}
        made.origins.append(Origin(record.position, record.receiver, record.peer, received_s))
        made.fields.append(fields)
    if retention is not None and ready:
        made.parts = rows_of(ready, retention)
    return made
