"""Does it balance? received = stored + dead-lettered + dropped-and-counted + in flight, by source and reason.

Two sides count independently: the spool's writer what it fsynced, the store's worker how each record
ended. Both keep their counts with a position in the spool, so a count is right after any kill; what
lies between a position and the end of the spool is counted by reading it. Nothing here changes a file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from monitoring.durable import read_json
from monitoring.progress import Progress
from monitoring.senders import suspicion_of
from monitoring.spool import Arrivals, SpoolReader, Tally, spools

Counts = Mapping[str, int]  # by source: "<receiver> <peer>"
ByReason = Mapping[str, Counts]


SOURCE_COUNTS = ("received", "stored", "dead", "dropped", "in_flight", "missing")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceBalance:
    """One source. `received` includes what was dropped."""

    source: str
    received: int
    stored: int
    dead: int
    dropped: int
    in_flight: int
    octets: int = 0  # of the messages that were spooled
    last_seen: datetime | None = None  # None: nothing of it was ever spooled
    rate_per_s: float = 0.0  # over the last ten seconds or so that a receiver was running

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
    senders: Mapping[str, Any] = field(default_factory=dict)  # by peer, see `monitoring.senders`; not the ordinary ones
    spools: Mapping[str, Any] = field(default_factory=dict)  # by name: octets held, and the budget of each
    is_reckoned: bool = False  # more was in flight than was to be read: it is what the other counts leave

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
        return {
            "balances": self.balances,
            **({"is_reckoned": True} if self.is_reckoned else {}),
            **{name: self.total(name) for name in SOURCE_COUNTS},
            "sources": {s.source: _source_document(s) for s in self.sources},
            "reasons": {"dropped": self.dropped, "dead": self.dead, "refused": self.refused, "cut": self.cut},
            "polls": self.polls,
            "spool": {"damaged_octets": self.damaged_octets, "missing_octets": self.missing_octets},
            "spools": self.spools,
            "senders": {p: {**s, "suspicion": suspicion_of(s)} for p, s in self.senders.items()},
            "trouble": self.trouble,
        }


def _source_document(source: SourceBalance) -> dict[str, Any]:
    seen = None if source.last_seen is None else source.last_seen.isoformat()
    counts = {name: getattr(source, name) for name in SOURCE_COUNTS}
    return {**counts, "octets": source.octets, "last_seen": seen, "rate_per_s": source.rate_per_s}


def balance_of(data_dir: Path, *, most_octets: int | None = None) -> Balance:
    """The balance now; of a running collector as well as of a stopped or killed one. Raises SpoolError.

    most_octets: how much of each spool may be read to count what is in flight. Where more is, it is reckoned: what
    was received and is neither stored nor dead. None: everything is counted, which takes minutes for a full spool.
    """
    # In this order: what is read later is never behind what was read before.
    store = read_json(data_dir / "stats" / "store.json")
    collect = _collectors(data_dir)
    received, in_flight, stored = Arrivals(), Tally(), Tally()
    dead: dict[str, Tally] = {}
    discarded: dict[str, Tally] = {}
    damaged = missing = 0
    is_reckoned = False
    for directory in spools(data_dir):
        reader = SpoolReader(directory)
        progress = Progress(_of(_of(store, "spools"), str(reader.id)))
        known = _best_counts(reader, collect, directory)
        counted_to, end = int(known.get("position", 0)), reader.end
        arrived = Arrivals(*(_of(known, name) for name in ("received", "octets", "last_us")))
        if most_octets is not None and end - counted_to > most_octets:
            end = counted_to  # the writer was killed, or stands still: what came after its last word is left out
        _add_arrivals(arrived, reader.count(counted_to, end))
        _add_arrivals(received, arrived)
        reader.damaged_octets = reader.missing_octets = 0
        if most_octets is not None and end - progress.position > most_octets:
            is_reckoned = True
            _add(in_flight, _left(arrived.counts, progress))
        else:
            _add(in_flight, reader.count(progress.position, end).counts)
        _add(stored, progress.stored.counts)
        for reason, tally in progress.dead.items():
            _add(dead.setdefault(reason, Tally()), tally.counts)
        for reason, tally in progress.discarded.items():
            _add(discarded.setdefault(reason, Tally()), tally.counts)
        damaged += progress.damaged_octets + reader.damaged_octets
        missing += progress.missing_octets + reader.missing_octets
    dropped, refused = _by_reason(collect, "dropped"), _by_reason(collect, "refused")
    sums = Sums(
        received=received,
        stored=stored,
        dead=_sum(t.counts for t in dead.values()),
        dropped=_sum(dropped.values()),
        discarded=_sum(t.counts for t in discarded.values()),
        in_flight=in_flight,
        rates=_summed(_of(document, "rates") for document in collect),
    )
    return Balance(
        sources=_sources(sums),
        dropped={**dropped, **{reason: t.counts for reason, t in discarded.items()}},
        dead={reason: dict(t.counts) for reason, t in dead.items()},
        cut=_sum(_of(document, "cut") for document in collect).counts,
        refused=refused,
        polls=_sum(_of(document, "polls") for document in collect).counts,
        damaged_octets=damaged,
        missing_octets=missing,
        senders=_of(store, "senders"),
        spools=_spools(collect),
        is_reckoned=is_reckoned,
        trouble="\n".join(str(document["trouble"]) for document in collect if document.get("trouble")),
    )


def _left(arrived: Counts, progress: Progress) -> Counts:
    """Of what arrived in a spool, what the store has not said a word of."""
    left = dict(arrived)
    for done in (progress.stored, *progress.dead.values(), *progress.discarded.values()):
        for source, n in done.counts.items():
            left[source] = left.get(source, 0) - n
    return {source: n for source, n in left.items() if n}


def _spools(collect: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for document in collect:
        gauges = _of(document, "gauges")
        use = {name: gauges.get(f"spool_{name}", 0) for name in ("octets", "budget_octets")}
        found |= dict.fromkeys(_of(document, "spools"), use)
    return found


def _collectors(data_dir: Path) -> list[Mapping[str, Any]]:
    """What each receiving process wrote last, the first one first."""
    paths = sorted((data_dir / "stats").glob("collect*.json"), key=lambda p: (len(p.name), p.name))
    return [read_json(path) for path in paths]


def _best_counts(reader: SpoolReader, collect: Iterable[Mapping[str, Any]], directory: Path) -> Mapping[str, Any]:
    """The writer's counts that reach furthest: of its last save, or of its last segment."""
    candidates = [_of(_of(document, "spools"), directory.name) for document in collect]
    candidates.append(read_json(directory / "counts.json"))
    own = [c for c in candidates if c.get("id") == str(reader.id)]
    return max(own, key=lambda c: int(c.get("position", 0)), default={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """By source, over all spools and processes. `received` without what was dropped."""

    received: Arrivals
    stored: Tally
    dead: Tally
    dropped: Tally  # before it was spooled
    discarded: Tally  # after: dead letters given up
    in_flight: Tally
    rates: Mapping[str, float]


def _sources(sums: Sums) -> tuple[SourceBalance, ...]:
    tallies = (sums.received, sums.stored, sums.dead, sums.dropped, sums.discarded, sums.in_flight)
    return tuple(
        SourceBalance(
            source=name,
            received=sums.received.counts.get(name, 0) + sums.dropped.counts.get(name, 0),
            stored=sums.stored.counts.get(name, 0),
            dead=sums.dead.counts.get(name, 0),
            dropped=sums.dropped.counts.get(name, 0) + sums.discarded.counts.get(name, 0),
            in_flight=sums.in_flight.counts.get(name, 0),
            octets=sums.received.octets.get(name, 0),
            last_seen=_moment(sums.received.last_us.get(name)),
            rate_per_s=round(sums.rates.get(name, 0.0), 2),
        )
        for name in sorted(set().union(*(t.counts for t in tallies)))
    )


def _moment(us: int | None) -> datetime | None:
    return None if us is None else datetime.fromtimestamp(us / 1e6, UTC)


def _summed(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for part in parts:
        for name, value in part.items():
            total[name] = total.get(name, 0.0) + value
    return total


def _add_arrivals(total: Arrivals, part: Arrivals) -> None:
    for source, n in part.counts.items():
        total.came(source, n, part.octets.get(source, 0), part.last_us.get(source, 0))


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


def _by_reason(documents: Iterable[Mapping[str, Any]], name: str) -> ByReason:
    found: dict[str, Tally] = {}
    for document in documents:
        for reason, counts in _of(document, name).items():
            _add(found.setdefault(str(reason), Tally()), counts)
    return {reason: tally.counts for reason, tally in found.items()}
