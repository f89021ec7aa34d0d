"""How far one spool is stored, and how its records ended: the store's checkpoint, and one side of the balance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitoring.settling import REPLAY, Asked
from monitoring.spool import Tally


class Progress:
    """How far one spool is stored, and how its records ended, by source."""

    def __init__(self, saved: Mapping[str, Any]) -> None:
        self.position = int(saved.get("position", 0))
        self.stored = Tally(saved.get("stored", {}))
        self.dead = {str(k): Tally(v) for k, v in dict(saved.get("dead", {})).items()}
        self.discarded = {str(k): Tally(v) for k, v in dict(saved.get("discarded", {})).items()}
        self.damaged_octets = int(saved.get("damaged_octets", 0))
        self.missing_octets = int(saved.get("missing_octets", 0))

    def undo(self, letter: Asked) -> None:
        """A letter is dead no more, for its reason at least."""
        tally = self.dead.setdefault(letter.reason, Tally())
        source = tally.named(letter.record.source)
        tally.add(source, -1)
        if not tally.counts[source]:
            del tally.counts[source]

    def settled(self, letter: Asked) -> None:
        """A letter was stored at last, or given up."""
        self.undo(letter)
        if letter.action == REPLAY:
            self.stored.add(letter.record.source)
        else:
            self.discarded.setdefault(f"dead-letter-{letter.action}", Tally()).add(letter.record.source)

    def document(self) -> dict[str, Any]:
        return {
            "position": self.position,
            "stored": dict(self.stored.counts),
            "dead": {reason: dict(t.counts) for reason, t in self.dead.items() if t.counts},
            "discarded": {reason: dict(t.counts) for reason, t in self.discarded.items()},
            "damaged_octets": self.damaged_octets,
            "missing_octets": self.missing_octets,
        }
