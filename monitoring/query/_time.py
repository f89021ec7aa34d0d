"""Moments as people write them: `now`, `-15m`, `now-1d`, `2026-03-01`, `2026-03-01T08:00+07:00`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo

from monitoring.errors import QueryError

_RELATIVE = re.compile(r"(?:now)?(?:([+-])(\d{1,9})(ms|s|m|h|d|w))?\Z")
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str, *, now: datetime, zone: tzinfo = UTC) -> datetime:
    """The moment a text names, aware UTC. Raises QueryError.

    now: aware; what relative times count from.
    zone: of a date or time that states none.
    """
    relative = _RELATIVE.match(text)
    try:
        if text and relative is not None:
            sign, amount, unit = relative.groups()
            if amount is None:
                return now.astimezone(UTC)
            span = timedelta(**{_UNITS[unit]: int(amount)})
            return (now - span if sign == "-" else now + span).astimezone(UTC)
        when = datetime.fromisoformat(text)
        return (when if when.tzinfo else when.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise QueryError(
            f"{text!r} is no time",
            fix="write -15m, now-1d, 2026-03-01 or 2026-03-01T08:00:00+07:00 (units ms s m h d w)",
        ) from error
