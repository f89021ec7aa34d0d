"""What sort of hour it is: the province's zone, its working hours and its calendar."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inventory.model import Calendar, Holiday, Province
from monitoring.hours import Hours
from tests.unit.monitoring.lab import pipeline, province, record


def with_policy(**changes: object) -> Province:
    return replace(province(), policy=replace(province().policy, **changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("local", "found"),
    [
        ("2026-11-20T06:59", "evening"),  # a Friday
        ("2026-11-20T07:00", "work"),
        ("2026-11-20T17:59", "work"),
        ("2026-11-20T18:00", "evening"),
        ("2026-11-20T22:00", "night"),
        ("2026-11-21T05:59", "night"),
        ("2026-11-21T09:00", "weekend"),
        ("2026-02-17T09:00", "holiday"),  # Tết
        ("2026-02-18T02:00", "holiday"),
        ("2026-08-22T09:00", "work"),  # a Saturday that makes up for 31 August
        ("2026-08-22T23:00", "night"),
        ("2026-08-31T09:00", "holiday"),
    ],
)
def test_an_hour_is_of_a_class(local: str, found: str) -> None:
    moment = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo("Asia/Ho_Chi_Minh")).astimezone(UTC)
    assert Hours(province()).class_of(moment.strftime("%Y-%m-%dT%H:%M")) == found


@given(st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2040, 1, 1)))
def test_every_hour_has_one_class_and_a_working_day_has_its_hours(moment: datetime) -> None:
    hours, local = Hours(province()), moment.replace(tzinfo=UTC).astimezone(ZoneInfo(province().time_zone))
    found = hours.class_of(moment.strftime("%Y-%m-%dT%H:%M"))
    assert found in ("work", "evening", "night", "weekend", "holiday")
    is_worked = province().policy.calendar.is_working_day(local.date()) and 7 <= local.hour < 18
    assert (found == "work") is is_worked


def test_a_zone_of_half_hours_is_read_to_the_minute() -> None:
    hours = Hours(replace(province(), time_zone="Asia/Kolkata"))  # UTC+05:30
    assert hours.class_of("2026-11-20T01:29") == "evening"
    assert hours.class_of("2026-11-20T01:30") == "work"


def test_changes_are_agreed_at_some_hours_or_at_any() -> None:
    assert Hours(province()).allows_change("2026-11-20T03:00") is None
    hours = Hours(with_policy(change_hours=(22, 5)))
    assert [hours.allows_change(f"2026-11-20T{utc}:30") for utc in ("14", "15", "21", "22")] == [
        False,
        True,
        True,
        False,
    ]


def test_a_day_made_up_for_is_worked_though_a_holiday_covers_it() -> None:
    saturday = date(2026, 11, 21)
    calendar = Calendar(
        holidays=(Holiday(name="x", first=saturday, last=saturday),), working_days=frozenset({saturday})
    )
    assert Hours(with_policy(calendar=calendar)).class_of("2026-11-21T03:00") == "work"


def test_every_event_says_what_sort_of_hour_it_was() -> None:
    event = pipeline().event_of(record("<38>1 2026-11-20T03:00:00Z dc-r1 sshd 1 - - x"))
    assert event.get("canh.time.class") == "work"
