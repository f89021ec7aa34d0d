"""Does it balance? received = stored + dead-lettered + dropped-and-counted + in flight, by source and reason.

Two sides count independently: the spool's writer what it fsynced, the store's worker how each record
ended. Both keep their counts with a position in the spool, so a count is right after any kill; what
lies between a position and the end of the spool is counted by reading it. Nothing here changes a file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from monitoring.durable import read_json
from monitoring.spool import SpoolReader, Tally, spools
from monitoring.storing import Progress

Counts = Mapping[str, int]  # by source: "<receiver> <peer>"
ByReason = Mapping[str, Counts]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceBalance:
    """One source. `received` includes what was dropped."""

    source: str
    received: int
    stored: int
    dead: int
    dropped: int
    in_flight: int

    @property
    def missing(self) -> int:
        """What nobody accounts for; below zero: counted twice."""
        return self.received - self.stored - self.dead - self.dropped - self.in_flight


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """All sources, in order of name, and why what was dropped, buried, cut or refused was."""

    sources: tuple[SourceBalance, ...]
    dropped: ByReason
    dead: ByReason
    cut: Counts
    refused: ByReason
    polls: Mapping[str, int]
    damaged_octets: int  # of the spool, unreadable
    missing_octets: int  # of the spool, removed before the store had them
    trouble: str  # why the spool takes nothing now, "" when it does

    @property
    def balances(self) -> bool:
        """Whether every message is accounted for exactly once.

        By receiver: beyond 20,000 sources each side lumps the rest together in its own order.
        """
        missing: Counter[str] = Counter()
        for source in self.sources:
            missing[source.source.partition(" ")[0]] += source.missing
        return not self.damaged_octets and not self.missing_octets and not any(missing.values())

    def total(self, name: str) -> int:
        """Sum over all sources of "received", "stored", "dead", "dropped", "in_flight" or "missing"."""
        return sum(getattr(s, name) for s in self.sources)

    def document(self) -> dict[str, Any]:
        """For programs."""
        names = ("received", "stored", "dead", "dropped", "in_flight", "missing")
        return {
            "balances": self.balances,
            **{name: self.total(name) for name in names},
            "sources": {s.source: {name: getattr(s, name) for name in names} for s in self.sources},
            "reasons": {"dropped": self.dropped, "dead": self.dead, "refused": self.refused, "cut": self.cut},
            "polls": self.polls,
            "spool": {"damaged_octets": self.damaged_octets, "missing_octets": self.missing_octets},
            "trouble": self.trouble,
        }


def balance_of(data_dir: Path) -> Balance:
    """The balance now; of a running collector as well as of a stopped or killed one. Raises SpoolError."""
    # In this order: what is read later is never behind what was read before.
    store = read_json(data_dir / "stats" / "store.json")
    collect = read_json(data_dir / "stats" / "collect.json")
    received, in_flight, stored = Tally(), Tally(), Tally()
    dead: dict[str, Tally] = {}
    damaged = missing = 0
    for directory in spools(data_dir):
        reader = SpoolReader(directory)
        progress = Progress(_of(_of(store, "spools"), str(reader.id)))
        known = _best_counts(reader, collect, directory)
        end = reader.end
        _add(received, _of(known, "received"))
        _add(received, reader.count(int(known.get("position", 0)), end).counts)
        reader.damaged_octets = reader.missing_octets = 0
        _add(in_flight, reader.count(progress.position, end).counts)
        _add(stored, progress.stored.counts)
        for reason, tally in progress.dead.items():
            _add(dead.setdefault(reason, Tally()), tally.counts)
        damaged += progress.damaged_octets + reader.damaged_octets
        missing += progress.missing_octets + reader.missing_octets
    dropped = _by_reason(collect, "dropped")
    return Balance(
        sources=_sources(received, stored, _sum(t.counts for t in dead.values()), _sum(dropped.values()), in_flight),
        dropped=dropped,
        dead={reason: dict(t.counts) for reason, t in dead.items()},
        cut=_of(collect, "cut"),
        refused=_by_reason(collect, "refused"),
        polls=_of(collect, "polls"),
        damaged_octets=damaged,
        missing_octets=missing,
        trouble=str(collect.get("trouble") or ""),
    )


def _best_counts(reader: SpoolReader, collect: Mapping[str, Any], directory: Path) -> Mapping[str, Any]:
    """The writer's counts that reach furthest: of its last save, or of its last segment."""
    candidates = [_of(_of(collect, "spools"), directory.name), read_json(directory / "counts.json")]
    own = [c for c in candidates if c.get("id") == str(reader.id)]
    return max(own, key=lambda c: int(c.get("position", 0)), default={})


def _sources(
    received: Tally, stored: Tally, dead: Tally, dropped: Tally, in_flight: Tally
) -> tuple[SourceBalance, ...]:
    names = sorted(set().union(*(t.counts for t in (received, stored, dead, dropped, in_flight))))
    return tuple(
        SourceBalance(
            source=name,
            received=received.counts.get(name, 0) + dropped.counts.get(name, 0),
            stored=stored.counts.get(name, 0),
            dead=dead.counts.get(name, 0),
            dropped=dropped.counts.get(name, 0),
            in_flight=in_flight.counts.get(name, 0),
        )
        for name in names
    )


def _sum(parts: Iterable[Counts]) -> Tally:
    total = Tally()
    for part in parts:
        _add(total, part)
    return total


def _add(tally: Tally, counts: Counts) -> None:
    for source, n in counts.items():
        tally.add(source, n)


def _of(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name)
    return value if isinstance(value, Mapping) else {}


def _by_reason(document: Mapping[str, Any], name: str) -> ByReason:
    return {str(reason): dict(counts) for reason, counts in _of(document, name).items()}
