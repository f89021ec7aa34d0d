"""What sort of hour an event fell into, on the province's own clock and calendar.

    holiday   a day off, all of it
    night     22:00 to 06:00 of any other day
    weekend   the rest of a Saturday or Sunday that is not worked
    work      the working hours of a working day
    evening   what is left: before and after them

Sigma's own modifiers of time read UTC, so rules read `canh.time.class`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from inventory.model import Province

_NIGHT = (22, 6)
_CACHE_SIZE = 65536


class Hours:
    """Plain values, so it can be pickled. A minute is worked out once."""

    def __init__(self, province: Province) -> None:
        policy = province.policy
        self._zone, self._calendar = ZoneInfo(province.time_zone), policy.calendar
        self._working, self._changes = policy.working_hours, policy.change_hours
        # Every event asks, so the pipeline looks here itself before it calls.
        self.by_minute: dict[str, str] = {}

    def class_of(self, minute: str) -> str:
        """minute: of `@timestamp` as events have it: UTC, "2026-11-22T03:20"."""
        if len(self.by_minute) >= _CACHE_SIZE:
            self.by_minute.clear()
        found = self.by_minute[minute] = self._class_at(self._local(minute))
        return found

    def allows_change(self, minute: str) -> bool | None:
        """Whether changes are agreed at that hour; None when the province sets no hours for them."""
        return None if self._changes is None else _within(self._local(minute).hour, self._changes)

    def _local(self, minute: str) -> datetime:
        return datetime.fromisoformat(minute).replace(tzinfo=UTC).astimezone(self._zone)

    def _class_at(self, local: datetime) -> str:
        day, hour = local.date(), local.hour
        if self._calendar.is_holiday(day) and day not in self._calendar.working_days:
            return "holiday"
        if _within(hour, _NIGHT):
            return "night"
        if not self._calendar.is_working_day(day):
            return "weekend"
        return "work" if _within(hour, self._working) else "evening"


def _within(hour: int, hours: tuple[int, int]) -> bool:
    """[from, to), over midnight when it ends before it begins."""
    start, end = hours
    return start <= hour < end if start <= end else hour >= start or hour < end
