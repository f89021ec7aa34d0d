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

    def add(self, source: str, n: int = 1) -> None:
        if source not in self.counts and len(self.counts) >= MOST_SOURCES:
            source = f"{source.partition(' ')[0]} {OTHER}"
        self.counts[source] = self.counts.get(source, 0) + n

    def add_all(self, records: Iterable[Received]) -> None:
        """Count each record under its source."""
        batch: dict[tuple[str, str], int] = {}
        for record in records:
            pair = (record[2], record[3])
            batch[pair] = batch.get(pair, 0) + 1
        for (receiver, peer), n in batch.items():
            self.add(f"{receiver} {peer}", n)

    @property
    def total(self) -> int:
        return sum(self.counts.values())
