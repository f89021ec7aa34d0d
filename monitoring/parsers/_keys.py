"""The keys of a parser, compiled: each pair of a message is looked at once and put with the function its field has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitoring.event import Value
from monitoring.parsers._fields import NOTHING, Put, put, setter_of
from monitoring.parsers._formats import Pairs

_NO_RANK = 1 << 30


@dataclass(frozen=True, slots=True)
class KeyTable:
    """Of two keys for one field the first written wins, wherever it stands in the message."""

    targets: Mapping[str, tuple[tuple[str, Put | None, int], ...]]  # by key: field, its setter, rank (0: no other key)

    @classmethod
    def of(cls, keys: Sequence[tuple[str, str]]) -> KeyTable:
        """keys: (key, field), the preferred key of a field last."""
        count: dict[str, int] = {}
        for _, name in keys:
            count[name] = count.get(name, 0) + 1
        found: dict[str, tuple[tuple[str, Put | None, int], ...]] = {}
        for at, (key, name) in enumerate(keys):
            rank = len(keys) - at if count[name] > 1 else 0
            found[key] = (*found.get(key, ()), (name, setter_of(name), rank))
        return cls(found)

    def fill(self, fields: dict[str, Value], pairs: Pairs) -> None:
        targets_of = self.targets.get
        ranks: dict[str, int] = {}
        for key, value in pairs.items():
            targets = targets_of(key)
            if targets is None:
                continue
            is_text = type(value) is str
            if is_text:
                value = value.strip()
                if value in NOTHING:
                    continue
            for name, setter, rank in targets:
                if rank and ranks.get(name, _NO_RANK) < rank:
                    continue
                if not is_text:
                    put(fields, name, value)
                elif setter is None:
                    fields[name] = value
                else:
                    setter(fields, name, value)
                if rank and name in fields:
                    ranks[name] = rank
