"""Raw events as the detail page shows them: text as received, matched values marked, similar lines folded. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from monitoring.event import Event
from soc.alert import Alert

SHOWN_OF_A_RUN = 2  # the first lines of a run of similar ones; the rest is folded
MIN_MARK = 2  # shorter values would be marked everywhere


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    is_match: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    number: int  # from 1, among the kept events
    event: Event
    pieces: tuple[Piece, ...]

    @property
    def is_hit(self) -> bool:
        return any(piece.is_match for piece in self.pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Lines that differ only in their numbers; `folded` ones are shown on demand."""

    shown: tuple[Line, ...]
    folded: tuple[Line, ...] = ()


def runs_of(alert: Alert) -> tuple[Run, ...]:
    """The alert's events in order, similar neighbours together."""
    values = marked_values(alert)
    lines = [
        Line(number=number, event=event, pieces=pieces_of(event.original, values))
        for number, event in enumerate(alert.events, 1)
    ]
    runs = []
    for _, similar in groupby(lines, key=lambda line: re.sub(r"\d+", "0", line.event.original)):
        same = tuple(similar)
        cut = len(same) if len(same) <= SHOWN_OF_A_RUN + 1 else SHOWN_OF_A_RUN
        runs.append(Run(shown=same[:cut], folded=same[cut:]))
    return tuple(runs)


def marked_values(alert: Alert) -> tuple[str, ...]:
    """Values that made the rule match, longest first."""
    values = {match.value for match in alert.matches} | {value for _, value in alert.group}
    return tuple(sorted((v for v in values if len(v) >= MIN_MARK), key=lambda v: (-len(v), v)))


def pieces_of(text: str, values: Sequence[str]) -> tuple[Piece, ...]:
    """`text` cut at every whole occurrence of a value; joined, the pieces are `text`."""
    if not values:
        return (Piece(text, False),)
    pattern = "|".join(rf"(?<!\w){re.escape(value)}(?!\w)" for value in values)
    parts = re.split(f"({pattern})", text, flags=re.IGNORECASE)
    return tuple(Piece(part, bool(n % 2)) for n, part in enumerate(parts) if part)


def fields_of(events: Iterable[Event]) -> tuple[tuple[str, str], ...]:
    """ECS fields of the first event, by name, without the line itself."""
    first = next(iter(events), None)
    if first is None:
        return ()
    return tuple((name, _shown(value)) for name, value in sorted(first.fields.items()) if name != "event.original")


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
