"""Figures of the overview: open alerts by level, their last 24 hours, times to respond, state of the sites. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import mean

from inventory.model import Device, Province, Site
from soc.alert import Level, Status
from soc.cases import Case
from soc.console._clock import Pace, clock_of

HOURS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    level: Level
    open: int
    overdue: int
    unassigned: int
    hourly: tuple[int, ...]  # raised in each of the last 24 hours, oldest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """Mean times of what was raised in the last 24 hours; None when there was nothing to measure."""

    to_act: timedelta | None  # MTTA: raised to first human action
    to_close: timedelta | None  # MTTR
    closed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteState:
    """A site and how it stands: its worst open alert of medium or above."""

    site: Site
    devices: tuple[Device, ...]
    worst: Mapping[str, Level]  # device to level of its worst open alert
    open: int


def tiles_of(cases: Iterable[Case], now: datetime) -> tuple[Tile, ...]:
    """One tile a level, worst first, from the open cases and those raised in the last 24 hours."""
    by_level: dict[Level, list[Case]] = defaultdict(list)
    for case in cases:
        by_level[case.alert.level].append(case)
    return tuple(_tile(level, by_level[level], now) for level in reversed(Level))


def response_of(recent: Iterable[Case], first_actions: Mapping[str, datetime]) -> Response:
    """Times to respond; `first_actions` says when a person first acted on an alert."""
    cases = tuple(recent)
    acted = [first_actions[c.id] - c.alert.raised_at for c in cases if c.id in first_actions]
    closed = [c.closed_at - c.alert.raised_at for c in cases if c.closed_at]
    return Response(to_act=_mean(acted), to_close=_mean(closed), closed=len(closed))


def sites_of(province: Province, open_cases: Iterable[Case]) -> tuple[SiteState, ...]:
    """Every site with its devices, in the inventory's order."""
    worst: dict[str, Level] = {}
    counts: Counter[str] = Counter()
    for case in open_cases:
        alert = case.alert
        counts[alert.site] += 1
        if alert.device not in worst or worst[alert.device].rank < alert.level.rank:
            worst[alert.device] = alert.level
    return tuple(
        SiteState(
            site=site,
            devices=tuple(d for d in province.devices.values() if d.site == site.name),
            worst=worst,
            open=counts[site.name],
        )
        for site in province.sites.values()
    )


def _tile(level: Level, cases: list[Case], now: datetime) -> Tile:
    still_open = [case for case in cases if case.status is not Status.CLOSED]
    hourly = [0] * HOURS
    for case in cases:
        ago = int((now - case.alert.raised_at).total_seconds() // 3600)
        if 0 <= ago < HOURS:
            hourly[HOURS - 1 - ago] += 1
    return Tile(
        level=level,
        open=len(still_open),
        overdue=sum(clock_of(case, now).pace is Pace.OVERDUE for case in still_open),
        unassigned=sum(not case.assignee for case in still_open),
        hourly=tuple(hourly),
    )


def _mean(spans: list[timedelta]) -> timedelta | None:
    return timedelta(seconds=mean(max(0.0, span.total_seconds()) for span in spans)) if spans else None
