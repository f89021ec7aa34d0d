"""Which channels an alert goes to, and from when on. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from soc._case import Case
from soc.alert import Alert, Status
from soc.delivery.queue import Entry
from soc.delivery.settings import Route, Settings

_OWNER = "canh.owner."


def entries_of(case: Case, settings: Settings, now: datetime) -> list[Entry]:
    """What is to be told of a case nobody works on, once for each channel: by the route that tells it first."""
    best: dict[str, Entry] = {}
    for route in settings.routes:
        if not _wants(route, case.alert, settings):
            continue
        until = None
        if route.quiet is not None and case.alert.level.rank < route.quiet.but.rank:
            until = route.quiet.until(now, settings.zone)
        for channel in route.to:
            entry = Entry(
                alert=case.id,
                channel=channel,
                likeness=likeness_of(case.alert),
                level=case.alert.level,
                at=until or now,
                again_after=route.again_after,
            )
            known = best.get(channel)
            if known is None or (entry.at, entry.again_after) < (known.at, known.again_after):
                best[channel] = entry
    return list(best.values())


def is_settled(case: Case) -> bool:
    """Somebody has it: nobody else need be told."""
    return case.status is not Status.NEW


def likeness_of(alert: Alert) -> str:
    """What people would take for the same: the rule, on the same device, about the same values."""
    return json.dumps([alert.rule_id, alert.device, *alert.group], ensure_ascii=False)


def owners_of(alert: Alert) -> frozenset[str]:
    """Who looks after what the alert is about: rules made of the inventory say it (`soc.policy`)."""
    return frozenset(tag.removeprefix(_OWNER) for tag in alert.tags if tag.startswith(_OWNER))


def _wants(route: Route, alert: Alert, settings: Settings) -> bool:
    def named(wanted: Iterable[str], value: str) -> bool:
        return not wanted or value in wanted

    return (
        alert.level.rank >= route.at_least.rank
        and named(route.sites, alert.site)
        and named(route.units, settings.units.get(alert.site, ""))
        and named(route.rules, alert.rule_id)
        and (not route.owners or not route.owners.isdisjoint(owners_of(alert)))
    )
