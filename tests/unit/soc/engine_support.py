"""What the tests of detection share: events, rules in a folder, a case store that remembers."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from uuid import UUID, uuid5

from inventory import load as load_province
from inventory.model import Province
from monitoring.event import Event, Value
from monitoring.spool import SpoolRecord
from soc import placeholders
from soc.alert import Alert
from soc.detection import Detection
from soc.sigma import OWN_RULES, RuleSet, load

ROOT = Path(__file__).resolve().parents[3]
START = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
SPOOL = UUID("11111111-2222-5333-8444-555555555555")


@cache
def lab() -> Province:
    return load_province(ROOT / "inventory/provinces/lab")


@cache
def own_rules() -> RuleSet:
    return load([OWN_RULES], placeholders.of(lab()))


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def event(number: int, seconds: float, *, received: float | None = None, **fields: Value) -> Event:
    """An event of dc-app1; `source__ip` is the field source.ip."""
    named = {name.replace("__", "."): value for name, value in fields.items()}
    return Event(
        {
            "event.id": str(uuid5(SPOOL, str(number))),
            "@timestamp": at(seconds).isoformat(),
            "event.ingested": at(seconds if received is None else received).isoformat(),
            "host.name": "dc-app1",
            "canh.site": "dc",
            "canh.source.known": True,
            **named,
        }
    )


def failed(number: int, seconds: float, *, received: float | None = None, **fields: Value) -> Event:
    """A refused login."""
    login: dict[str, Value] = {
        "event.action": "login",
        "event.outcome": "failure",
        "event.category": ("authentication",),
        "source.ip": "10.250.65.10",
        "user.name": "thanh",
    }
    given = {name.replace("__", "."): value for name, value in fields.items()}
    return event(number, seconds, received=received, **{k.replace(".", "__"): v for k, v in (login | given).items()})


def rules_of(folder: Path, *texts: str) -> RuleSet:
    """Rules from texts, loaded as files are."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(texts):
        (folder / f"rule{number}.yml").write_text(textwrap.dedent(text), "utf-8")
    return load([folder], placeholders.of(lab()))


def record(position: int, received: datetime, raw: bytes, peer: str = "10.250.64.10") -> SpoolRecord:
    return SpoolRecord(position, position + 1, SPOOL, received, peer, 514, "syslog-tcp", raw)


class Remembered:
    """A case store in memory that takes alerts as the real one does."""

    def __init__(self) -> None:
        self.alerts: dict[str, Alert] = {}
        self.deliveries = 0
        self.broken = False

    def deliver(self, alerts: Iterable[Alert]) -> int:
        if self.broken:
            raise OSError("no space left on device")
        for alert in alerts:
            self.deliveries += 1
            known = self.alerts.get(alert.id)
            if known is None or alert.count > known.count or alert.last_seen > known.last_seen:
                self.alerts[alert.id] = alert
        return 0

    def facts(self) -> set[tuple[object, ...]]:
        """Everything of the alerts but when they were raised."""
        return {
            (a.id, a.rule_id, a.device, a.group, a.count, a.first_seen, a.last_seen, tuple(e.id for e in a.events))
            for a in self.alerts.values()
        }


FAILED = """
    title: Refused
    id: 00000000-0000-4000-8000-000000000001
    name: refused
    logsource: {category: authentication}
    detection:
        selection: {event.action: login, event.outcome: failure}
        condition: selection
    level: informational
"""


def correlation(kind: str, condition: str, *, group: str = "[source.ip]", span: str = "10s", number: int = 2) -> str:
    return f"""
    title: Counted {kind}
    id: 00000000-0000-4000-8000-00000000000{number}
    correlation:
        type: {kind}
        rules: [refused]
        group-by: {group}
        timespan: {span}
        condition: {condition}
    level: high
    """


def run(rules: RuleSet, events: list[Event], lateness: float = 2) -> Detection:
    """All events in order of receiving, then until nothing waits."""
    detection = Detection(rules, timedelta(seconds=lateness))
    for one in sorted(events, key=lambda e: e.received):
        detection.take([one], START)
    detection.flush(START)
    return detection


def alerts(detection: Detection) -> set[tuple[object, ...]]:
    found = detection.episodes.changes().changed.values()
    return {(e.alert_id, e.group, e.count, e.first_us, e.last_us) for e in found if not e.is_silent}
