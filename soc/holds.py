"""Faults that a change of ours causes: kept from paging while it runs, told when it is over and they are not.

Pure. What may be held is decided by what happened, not by the rule that saw it: only the words of `ENDS`, a link,
a neighbour or a tunnel lost, and only when every event of the alert lies in a change (on a device it changes, or one it
may touch). So a login, a configuration by hand, a logging target removed pages whatever is open.

    raised within a change ── held ──┬── the change ended, and all came back ──► recovered: closed, never told
                                     ├── the change ended, something did not ──► released: told now
                                     ├── one event outside of the change ──────► released
                                     └── LONGEST after it was raised ──────────► released

Whoever is in doubt (no journal, no event store, more events than an alert keeps) tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from monitoring.event import Event

SETTLE = timedelta(seconds=60)  # after a change ended: what comes back by itself does, and is stored
LONGEST = timedelta(hours=2)  # a change that takes longer no longer explains a fault
# What a change may cause, the word that ends it, and the fields (one of them is there) that say of what.
ENDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "interface-down": ("interface-up", ("observer.ingress.interface.name",)),
    "routing-neighbor-down": ("routing-neighbor-up", ("canh.nbr.ip", "canh.nbr.id")),
    "vpn-tunnel-down": ("vpn-tunnel-up", ("canh.vpn.name", "canh.vpn.tunnel", "destination.ip")),
}


_GONE = {back: gone for gone, (back, _) in ENDS.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What was lost: an interface, a neighbour or a tunnel of a device, and the word that says it is back."""

    device: str
    back: str  # event.action
    field: str
    value: str

    @property
    def gone(self) -> str:
        """The word that says it is lost."""
        return _GONE[self.back]


class Verdict(StrEnum):
    HELD = "held"
    RECOVERED = "recovered"
    RELEASED = "released"


def change_of(events: Iterable[Event]) -> str:
    """The change that explains all of these events, the latest one's; "" when one of them is not explained."""
    ids = {(event.text("@timestamp"), _explained(event)) for event in events}
    return max(ids)[1] if ids and all(change for _, change in ids) else ""


def lost(events: Iterable[Event]) -> dict[Subject, datetime]:
    """What was lost, and when last."""
    found: dict[Subject, datetime] = {}
    for event in events:
        subject = _subject(event)
        if subject is not None:
            found[subject] = max(found.get(subject, event.timestamp), event.timestamp)
    return found


def latest_end(raised_at: datetime) -> datetime:
    """When a held alert is told at the latest."""
    return raised_at + LONGEST + SETTLE


def is_due(*, raised_at: datetime, ended: datetime | None, now: datetime) -> bool:
    """Whether it is time to decide. ended: of the change, None while it is open."""
    limit = raised_at + LONGEST
    return now >= min(limit if ended is None else ended, limit) + SETTLE


def judge(
    *,
    raised_at: datetime,
    last_seen: datetime,
    ended: datetime | None,
    lost_at: Mapping[Subject, datetime],
    back_at: Mapping[Subject, datetime],
    now: datetime,
) -> Verdict:
    """What becomes of a held alert. ended: see `is_due`; back_at: when each was last seen to come back."""
    if ended is not None and last_seen > ended:
        return Verdict.RELEASED
    if not is_due(raised_at=raised_at, ended=ended, now=now):
        return Verdict.HELD
    is_back = bool(lost_at) and all(subject in back_at and back_at[subject] >= at for subject, at in lost_at.items())
    return Verdict.RECOVERED if is_back and ended is not None else Verdict.RELEASED


def _explained(event: Event) -> str:
    return event.text("canh.change.id") if _subject(event) is not None else ""


def _subject(event: Event) -> Subject | None:
    end = ENDS.get(event.text("event.action"))
    device = event.text("host.name")
    if end is None or not device:
        return None
    back, names = end
    for name in names:
        if value := event.text(name):
            return Subject(device=device, back=back, field=name, value=value)
    return None
