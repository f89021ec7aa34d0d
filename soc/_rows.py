"""Alerts to rows of soc.db and back, and to documents for programs. Pure."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import RowMapping

from monitoring.event import Event
from soc._case import Case, HistoryEntry, deadline_of
from soc.alert import Alert, FieldMatch, Level, Resolution, Status
from soc.holds import change_of, latest_end

MAX_EVENTS = 100


def row_of(alert: Alert, seq: int) -> dict[str, Any]:
    """The row of an alert nobody has worked yet. One that a change of ours explains is held: its clock waits."""
    change = change_of(alert.events)
    due = None if change else deadline_of(alert)
    return {
        "id": alert.id,
        "rule_id": alert.rule_id,
        "title": alert.title,
        "level": alert.level.value,
        "tags": list(alert.tags),
        "device": alert.device,
        "site": alert.site,
        "grouping": [list(pair) for pair in alert.group],
        "raised_at": alert.raised_at,
        "received_at": alert.received_at,
        "status": Status.NEW.value,
        "due_at": due,
        "attention_at": due,
        "seq": seq,
        "created_seq": seq,
        "change_id": change,
        "held_until": latest_end(alert.raised_at) if change else None,
        **moving_part(alert),
    }


def moving_part(alert: Alert) -> dict[str, Any]:
    """What grows while the episode of an alert lasts."""
    return {
        "count": alert.count,
        "first_seen": alert.first_seen,
        "last_seen": alert.last_seen,
        "matches": [[m.selection, m.field, m.value, m.pattern] for m in alert.matches],
        "events": [_plain(event) for event in alert.events[:MAX_EVENTS]],
    }


def case_of(row: RowMapping) -> Case:
    """The case in a row; its alert has no events when the row was read without them."""
    resolution = Resolution(row["resolution"]) if row["resolution"] else None
    status = Status(row["status"])
    return Case(
        alert=_alert_of(row),
        status=status,
        assignee=row["assignee"],
        due_at=row["due_at"],
        until=row["until"],
        resolution=resolution,
        closed_at=row["closed_at"],
        recurrences=max(0, row["count"] - row["worked_count"]) if row["worked_count"] else 0,
        version=row["version"],
        seq=row["seq"],
        created_seq=row["created_seq"],
        change_id=row["change_id"],
        held_until=row["held_until"],
    )


def entry_of(row: RowMapping) -> HistoryEntry:
    return HistoryEntry(
        at=row["at"], actor=row["actor"], action=row["action"], reason=row["reason"], detail=row["detail"]
    )


def document_of(case: Case) -> dict[str, Any]:
    """A case for programs; the events are added where the case has them."""
    alert = case.alert
    return {
        "id": alert.id,
        "rule_id": alert.rule_id,
        "title": alert.title,
        "level": alert.level.value,
        "tags": list(alert.tags),
        "device": alert.device,
        "site": alert.site,
        "group": dict(alert.group),
        "count": alert.count,
        "first_seen": alert.first_seen.isoformat(),
        "last_seen": alert.last_seen.isoformat(),
        "raised_at": alert.raised_at.isoformat(),
        "received_at": alert.received_at.isoformat(),
        "matches": [
            {"selection": m.selection, "field": m.field, "value": m.value, "pattern": m.pattern} for m in alert.matches
        ],
        "status": case.status.value,
        "assignee": case.assignee,
        "due_at": case.due_at.isoformat() if case.due_at else None,
        "until": case.until.isoformat() if case.until else None,
        "resolution": case.resolution.value if case.resolution else None,
        "closed_at": case.closed_at.isoformat() if case.closed_at else None,
        "recurrences": case.recurrences,
        "version": case.version,
        "change_id": case.change_id,
        "held_until": case.held_until.isoformat() if case.held_until else None,
        **({"events": [json.loads(e.as_json()) for e in alert.events]} if alert.events else {}),
    }


def _alert_of(row: RowMapping) -> Alert:
    return Alert(
        id=row["id"],
        rule_id=row["rule_id"],
        title=row["title"],
        level=Level(row["level"]),
        tags=tuple(row["tags"]),
        device=row["device"],
        site=row["site"],
        group=tuple((name, value) for name, value in row["grouping"]),
        count=row["count"],
        first_seen=row["first_seen"],
        last_seen=row["last_seen"],
        raised_at=row["raised_at"],
        received_at=row["received_at"],
        matches=tuple(FieldMatch(selection=s, field=f, value=v, pattern=p) for s, f, v, p in row["matches"]),
        events=tuple(_event(fields) for fields in row.get("events") or ()),
    )


def _plain(event: Event) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in event.fields.items()}


def _event(fields: dict[str, Any]) -> Event:
    return Event({name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()})
