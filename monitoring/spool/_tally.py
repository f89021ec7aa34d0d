"""Counting by source, bounded: a flood of forged addresses must not fill the memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from monitoring.spool._record import Received

MOST_SOURCES = 20_000
OTHER = "other"


class Tally:
    """Counts by "<receiver> <peer>"; sources beyond the first 20,000 count together as "<receiver> other"."""

    __slots__ = ("counts",)

    def __init__(self, counts: Mapping[str, int] | None = None) -> None:
        self.counts: dict[str, int] = {str(k): int(v) for k, v in (counts or {}).items()}

    def add(self, source: str, n: int = 1) -> str:
        """Count `n`; returns the name under which they count."""
        name = self.named(source)
        self.counts[name] = self.counts.get(name, 0) + n
        return name

    def named(self, source: str) -> str:
        """The name under which a source counts."""
        if source in self.counts or len(self.counts) < MOST_SOURCES:
            return source
        return f"{source.partition(' ')[0]} {OTHER}"

    def by_receiver(self) -> dict[str, int]:
        totals: dict[str, int] = {}
        for source, n in self.counts.items():
            receiver = source.partition(" ")[0]
            totals[receiver] = totals.get(receiver, 0) + n
        return totals

    @property
    def total(self) -> int:
        return sum(self.counts.values())


class Arrivals(Tally):
    """A tally of messages that also knows, by source, their octets and when the last one came."""

    __slots__ = ("last_us", "octets")

    def __init__(
        self,
        counts: Mapping[str, int] | None = None,
        octets: Mapping[str, int] | None = None,
        last_us: Mapping[str, int] | None = None,
    ) -> None:
        """last_us: microseconds since 1970 UTC."""
        super().__init__(counts)
        self.octets: dict[str, int] = {str(k): int(v) for k, v in (octets or {}).items()}
        self.last_us: dict[str, int] = {str(k): int(v) for k, v in (last_us or {}).items()}

    def came(self, source: str, n: int, octets: int, last_us: int) -> None:
        """`n` messages of `octets` together, the last one received at `last_us`."""
        name = self.add(source, n)
        self.octets[name] = self.octets.get(name, 0) + octets
        self.last_us[name] = max(self.last_us.get(name, 0), last_us)

    def add_all(self, records: Iterable[Received]) -> None:
        """Count each record under its source."""
        batch: dict[tuple[str, str], list[int]] = {}
        for raw, received_us, receiver, peer, _, _ in records:
            pair = (receiver, peer)
            known = batch.get(pair)
            if known is None:
                batch[pair] = [1, len(raw), received_us]
            else:
                known[0] += 1
                known[1] += len(raw)
                known[2] = received_us
        for (receiver, peer), (n, octets, last_us) in batch.items():
            self.came(f"{receiver} {peer}", n, octets, last_us)
