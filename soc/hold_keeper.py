"""Looks after held alerts: reads the change journal and the event store, and tells the case store what became of each.

The console, `canh alerts` and delivery all call `look`; who comes second finds nothing to do. Without a held alert
it costs one count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from inventory.errors import OpsError
from monitoring.changes import windows_of
from soc.cases import Case, CaseStore
from soc.holds import SETTLE, Subject, Verdict, is_due, judge, lost

if TYPE_CHECKING:
    from monitoring.store import EventStore

_AT_ONCE = 100  # words of one moment
BackAt = Callable[[Mapping[Subject, datetime]], Mapping[Subject, datetime]]


class HoldKeeper:
    """`back_at`: when what was lost came back last, asked of the event store."""

    def __init__(self, cases: CaseStore, data_dir: Path, back_at: BackAt | None = None) -> None:
        self._cases, self._data_dir = cases, data_dir
        self._back_at = back_at or self._stored
        self._is_away = False  # the event store, in this look: it may take half a minute to say nothing

    def look(self, now: datetime) -> int:
        """Decide about every held alert whose time has come. Returns how many were released or closed."""
        settled, self._is_away = 0, False
        for case in self._cases.held():
            alert = case.alert
            ended = self._end_of(case.change_id, now)
            lost_at = lost(alert.events) if alert.count <= len(alert.events) else {}
            is_time = is_due(raised_at=alert.raised_at, ended=ended, now=now)
            verdict = judge(
                raised_at=alert.raised_at,
                last_seen=alert.last_seen,
                ended=ended,
                lost_at=lost_at,
                back_at=self._back_at(lost_at) if is_time and lost_at else {},
                now=now,
            )
            if alert.raised_at - now > SETTLE:  # our clock was ahead: by what it said this would be held for as long
                verdict = Verdict.RELEASED
            settled += self._tell(case, verdict, now)
        return settled

    def _tell(self, case: Case, verdict: Verdict, now: datetime) -> bool:
        match verdict:
            case Verdict.HELD:
                return False
            case Verdict.RECOVERED:
                return self._cases.recovered(case.id, at=now)
            case Verdict.RELEASED:
                return self._cases.released(case.id, at=now)

    def _end_of(self, change_id: str, now: datetime) -> datetime | None:
        """When a change ended; None while it is open. One whose journal cannot be read never explained anything."""
        never = datetime.min.replace(tzinfo=UTC)
        if not change_id or Path(change_id).name != change_id:
            return never
        try:
            text = (self._data_dir / "changes" / f"{change_id}.jsonl").read_text("utf-8", "backslashreplace")
            windows, is_closed = windows_of(text)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError):
            return never
        if not windows:
            return never
        return windows[-1].closed if is_closed or windows[-1].closed < now else None

    def _stored(self, lost_at: Mapping[Subject, datetime]) -> dict[Subject, datetime]:
        """What the event store has of each; what it cannot say did not come back."""
        found: dict[Subject, datetime] = {}
        if self._is_away:
            return found
        from monitoring.store import reader  # 60 MB that a process without held alerts can do without

        try:
            store = reader(self._data_dir)
            for subject, at in lost_at.items():
                back, gone = (_last(store, query_of(subject, word), at) for word in (subject.back, subject.gone))
                if back is not None and (gone is None or back > gone):
                    found[subject] = back[0]
        except OpsError:
            self._is_away = True
            return {}
        return found


def _last(store: EventStore, query: str, at: datetime) -> tuple[datetime, datetime] | None:
    """When it was last said from then on, and received: many senders tell whole seconds. Raises OpsError."""
    return max(((e.timestamp, e.received) for e in store.search(query, start=at, limit=_AT_ONCE)), default=None)


def query_of(subject: Subject, word: str = "") -> str:
    """The question for the event store: said by the device itself, or polled from it. word: "" for that it is back."""
    device, value = (text.replace("\\", "\\\\").replace('"', '\\"') for text in (subject.device, subject.value))
    return f'event.action:{word or subject.back} AND host.name:"{device}" AND {subject.field}:"{value}"'
