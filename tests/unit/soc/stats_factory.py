"""Counters as collector, store and detector leave them: a real spool, emptied by the real worker."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from monitoring.event import Event
from monitoring.receivers.counters import Counters
from monitoring.sink import Refusal
from monitoring.spool import Spool, SpoolRecord
from monitoring.spool._record import Received
from monitoring.storing import Storer


class Keeping:
    """A store that keeps nothing but its checkpoint; lines with "bad" in them it refuses."""

    def __init__(self) -> None:
        self.checkpoint: Mapping[str, Any] = {}

    def write(self, events: Sequence[Event]) -> Sequence[Refusal]:
        return [Refusal(index=n, reason="type-conflict") for n, e in enumerate(events) if "bad" in e.original]

    def commit(self, checkpoint: Mapping[str, Any]) -> None:
        self.checkpoint = checkpoint

    def close(self) -> None: ...


def receive(data: Path, now: datetime, peers: Mapping[str, int], *, bad: int = 0, store: bool = True) -> None:
    """Messages from each peer into the spool, `bad` more that the store refuses; all of it stored if `store`."""
    spool = Spool(data / "spool" / "all")
    at = int(now.timestamp() * 1e6)
    lines = [(peer, b"<13>a line") for peer, count in peers.items() for _ in range(count)]
    lines += [(next(iter(peers)), b"<13>a bad line")] * bad
    spool.append([Received(line, at, "syslog-udp", peer, 514) for peer, line in lines])
    Counters(data / "stats" / "collect.json").save(at=now.isoformat(), spools={"all": spool.counts()})
    spool.close()
    if store:
        storer = Storer(data, _event, Keeping())
        while storer.step():
            pass
        storer.commit()
    detect = {"process": "detect", "at": now.isoformat(), "octets_behind": 0, "trouble": None}
    (data / "stats" / "detect.json").write_text(json.dumps(detect), "utf-8")


def _event(record: SpoolRecord) -> Event:
    return Event({"event.id": "x", "event.original": record.raw.decode()})
