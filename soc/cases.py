"""`CaseStore`: alerts as analysts work them, on SQLite (or PostgreSQL), with their history.

Detection delivers; people acknowledge, assign, note and close. Delivering again never undoes what
a person did: it only raises counts, and says so in the history once after each human action.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict, Unpack

from sqlalchemy import Column, Connection, RowMapping, Select, func, insert, select, update

from soc import _schema as schema
from soc._case import DEADLINES, SYSTEM, Case, HistoryEntry, checked_reason, checked_until
from soc._database import Database
from soc._rows import case_of, document_of, entry_of, moving_part, row_of
from soc.alert import Alert, Level, Resolution, Status
from soc.errors import CaseError, Conflict, UnknownAlert
from soc.holds import change_of, latest_end

__all__ = ["Case", "CaseStore", "Filter", "HistoryEntry", "document_of"]

A = schema.alerts.c
_REOPENED = {"status": Status.NEW.value, "resolution": "", "closed_at": None}
_LISTED: tuple[Column[Any], ...] = tuple(c for c in schema.alerts.columns if c.name != "events")


class Filter(TypedDict, total=False):
    """What to list. Every key narrows; an absent one does not."""

    ids: Collection[str]
    rule: str | Collection[str]
    since: datetime  # raised at or after
    status: Collection[Status]
    level: Collection[Level]
    device: str | Collection[str]
    site: str | Collection[str]
    assignee: str | Collection[str]  # "" is: nobody's
    due_before: datetime
    closed_since: datetime
    text: str  # in title, rule, device or site


class CaseStore:
    """Alerts and their work. `where` is the data directory or a SQLAlchemy URL, or an open Database."""

    def __init__(self, where: Path | str | Database) -> None:
        self.database = where if isinstance(where, Database) else Database(where)

    # ---- detection
    def deliver(self, alerts: Iterable[Alert]) -> int:
        """Insert new alerts, raise count, last_seen and events of known ones. Delivering twice changes nothing.

        Returns how many were inserted or changed.
        """
        with self.database.write() as connection:
            return sum([_deliver(connection, alert) for alert in alerts])

    # ---- reading
    def list(self, *, limit: int = 500, offset: int = 0, **filters: Unpack[Filter]) -> tuple[Case, ...]:
        """Cases nearest to their deadline first, those without one last; their alerts carry no events."""
        query = _narrow(select(*_LISTED), filters).order_by(A.attention_at.is_(None), A.attention_at, A.raised_at, A.id)
        with self.database.read() as connection:
            return tuple(case_of(row) for row in connection.execute(query.limit(limit).offset(offset)).mappings())

    def count(self, by: str = "", **filters: Unpack[Filter]) -> dict[str, int]:
        """How many cases the filter leaves, under "" or by a column: status, level, assignee, site, device, rule_id."""
        counted: Select[Any] = select(A[by] if by else func.min(""), func.count()).select_from(schema.alerts)
        query = _narrow(counted.group_by(A[by]) if by else counted, filters)
        with self.database.read() as connection:
            return {str(key or ""): number for key, number in connection.execute(query)}

    def get(self, alert_id: str) -> Case:
        """The case with its events. Raises UnknownAlert."""
        with self.database.read() as connection:
            return case_of(_row(connection, alert_id))

    def history(self, alert_id: str) -> tuple[HistoryEntry, ...]:
        """What happened to the alert, oldest first."""
        query = select(schema.history).where(schema.history.c.alert_id == alert_id).order_by(schema.history.c.id)
        with self.database.read() as connection:
            return tuple(entry_of(row) for row in connection.execute(query).mappings())

    def first_actions(self, since: datetime) -> dict[str, datetime]:
        """When a person first acted, for alerts raised since: the measure of MTTA."""
        history = schema.history.c
        query = select(history.alert_id, func.min(history.at)).join(schema.alerts)
        query = query.where(A.raised_at >= since.astimezone(UTC), history.actor != SYSTEM).group_by(history.alert_id)
        with self.database.read() as connection:
            return {alert_id: at.replace(tzinfo=UTC) for alert_id, at in connection.execute(query)}

    def since(self, seq: int, limit: int = 1000) -> tuple[Case, ...]:
        """Cases made or changed after `seq`, in order; a case is new when its created_seq is after it too."""
        query = select(*_LISTED).where(A.seq > seq).order_by(A.seq).limit(limit)
        with self.database.read() as connection:
            return tuple(case_of(row) for row in connection.execute(query).mappings())

    def seq(self) -> int:
        """The newest `seq`, 0 in an empty store."""
        with self.database.read() as connection:
            return int(connection.execute(select(func.coalesce(func.max(A.seq), 0))).scalar_one())

    # ---- people. `version` is the one the person looked at; None acts on whatever is there.
    def acknowledge(
        self, alert_id: str, *, actor: str, reason: str, until: datetime, at: datetime, version: int | None = None
    ) -> Case:
        """Pause its clock until `until`; then it returns to the queue. Raises CaseError, Conflict."""
        reason, until = checked_reason(reason), checked_until(until, at)
        with self.database.write() as connection:
            case = _open_case(connection, alert_id, version)
            pause = until - (case.until if case.until and case.until > at else at)  # extending adds only what is new
            values = {
                "status": Status.ACKNOWLEDGED.value,
                "until": until,
                "attention_at": until,
                "due_at": case.due_at + pause if case.due_at else None,
                "assignee": case.assignee or actor,
            }
            return _act(connection, case, values, actor, "acknowledged", reason, at, {"until": until.isoformat()})

    def assign(
        self, alert_id: str, *, actor: str, to: str, at: datetime, reason: str = "", version: int | None = None
    ) -> Case:
        """Give it to `to` ("" gives it back to nobody). Raises CaseError, Conflict."""
        with self.database.write() as connection:
            case = _open_case(connection, alert_id, version)
            return _act(connection, case, {"assignee": to}, actor, "assigned", reason.strip(), at, {"to": to})

    def note(self, alert_id: str, *, actor: str, reason: str, at: datetime) -> Case:
        """Write down a finding. Raises CaseError."""
        reason = checked_reason(reason)
        with self.database.write() as connection:
            return _act(connection, case_of(_row(connection, alert_id)), {}, actor, "noted", reason, at, {})

    def close(
        self,
        alert_id: str,
        *,
        actor: str,
        resolution: Resolution,
        reason: str,
        at: datetime,
        version: int | None = None,
    ) -> Case:
        """Close it with what it was. Raises CaseError, Conflict."""
        reason = checked_reason(reason)
        with self.database.write() as connection:
            case = _open_case(connection, alert_id, version)
            values = {
                "status": Status.CLOSED.value,
                "resolution": resolution.value,
                "closed_at": at,
                "until": None,
                "attention_at": case.due_at,
                "assignee": case.assignee or actor,
            }
            return _act(connection, case, values, actor, "closed", reason, at, {"resolution": resolution.value})

    # ---- alerts that a change of ours explains (`soc.holds`)
    def held(self) -> tuple[Case, ...]:
        """Alerts nobody is told of yet, with their events."""
        query = select(schema.alerts).where(A.held_until.is_not(None)).order_by(A.raised_at, A.id)
        with self.database.read() as connection:
            return tuple(case_of(row) for row in connection.execute(query).mappings())

    def released(self, alert_id: str, *, at: datetime) -> bool:
        """Its change is over and it is not: it is told now, and its clock begins. False when it was not held."""
        with self.database.write() as connection:
            case = case_of(_row(connection, alert_id))
            return case.held_until is not None and _release(connection, case, at)

    def recovered(self, alert_id: str, *, at: datetime) -> bool:
        """What was lost came back with its change: closed. False when it was not held."""
        with self.database.write() as connection:
            case = case_of(_row(connection, alert_id))
            if case.held_until is None:
                return False
            values: dict[str, Any] = {"held_until": None}
            if case.is_open:
                values |= {"status": Status.CLOSED.value, "resolution": Resolution.BENIGN.value, "closed_at": at}
            _act(connection, case, values, SYSTEM, "recovered", "", at, {"change": case.change_id})
            return True

    def return_expired(self, at: datetime) -> int:
        """Bring acknowledgements that ended back into the queue. Returns how many."""
        ended = (A.status == Status.ACKNOWLEDGED.value) & (A.until <= at)
        with self.database.read() as connection:
            if not connection.execute(select(func.count()).where(ended)).scalar_one():
                return 0
        with self.database.write() as connection:
            rows = connection.execute(select(*_LISTED).where(ended)).mappings().all()
            for row in rows:
                values = {"status": Status.NEW.value, "until": None, "attention_at": row["due_at"]}
                _act(connection, case_of(row), values, SYSTEM, "returned", "", at, {})
            return len(rows)


def _deliver(connection: Connection, alert: Alert) -> int:
    row = connection.execute(select(*_LISTED).where(A.id == alert.id)).mappings().first()
    if row is None:
        connection.execute(insert(schema.alerts).values(**row_of(alert, _next_seq(connection))))
        _record(connection, alert.id, SYSTEM, "raised", "", alert.raised_at, {"count": alert.count})
        if change := change_of(alert.events):
            _record(connection, alert.id, SYSTEM, "held", "", alert.raised_at, {"change": change})
        return 1
    if alert.count <= row["count"] and alert.last_seen <= row["last_seen"]:
        return 0
    values = {
        **moving_part(alert),
        "count": max(alert.count, row["count"]),
        "first_seen": min(alert.first_seen, row["first_seen"]),
        "last_seen": max(alert.last_seen, row["last_seen"]),
        "seq": _next_seq(connection),
    }
    connection.execute(update(schema.alerts).where(A.id == alert.id).values(**values))
    if row["version"] and _last(connection, alert.id).action != "refired":
        _record(connection, alert.id, SYSTEM, "refired", "", alert.last_seen, {"count": values["count"]})
    if row["change_id"]:
        _explain(connection, case_of(_row(connection, alert.id)), change_of(alert.events))
    return 1


def _explain(connection: Connection, case: Case, change: str) -> None:
    """An alert that a change explains has grown: by what none does, or once more within one."""
    at = case.alert.last_seen
    if not change:
        _release(connection, case, at)
    elif _is_recovered(connection, case):
        values = {**_REOPENED, "change_id": change, "held_until": latest_end(at), "due_at": None, "attention_at": None}
        _act(connection, case, values, SYSTEM, "held", "", at, {"change": change})
    elif case.held_until is not None:
        connection.execute(update(schema.alerts).where(A.id == case.id).values(change_id=change))


def _is_recovered(connection: Connection, case: Case) -> bool:
    """Whether it was closed because what was lost had come back, and not by a person."""
    return case.status is Status.CLOSED and _last(connection, case.id, but="refired").action == "recovered"


def _release(connection: Connection, case: Case, at: datetime) -> bool:
    """Tell of an alert that was held, or that was closed because it had come back: as if it were raised now."""
    is_gone = _is_recovered(connection, case)
    if case.held_until is None and not is_gone:
        return False
    allowed = DEADLINES[case.alert.level]
    due = None if allowed is None else at + allowed
    values: dict[str, Any] = {"held_until": None, "due_at": due}
    if is_gone:
        values |= _REOPENED
    if case.status is not Status.ACKNOWLEDGED:
        values["attention_at"] = due
    told = _act(connection, case, values, SYSTEM, "released", "", at, {"change": case.change_id})
    connection.execute(update(schema.alerts).where(A.id == case.id).values(created_seq=told.seq))
    return True


def _act(
    connection: Connection,
    case: Case,
    values: dict[str, Any],
    actor: str,
    action: str,
    reason: str,
    at: datetime,
    detail: dict[str, Any],
) -> Case:
    """Write one action and its history line; returns the case after it."""
    values = {
        **values,
        "version": case.version + 1,
        "worked_count": case.alert.count,
        "seq": _next_seq(connection),
    }
    connection.execute(update(schema.alerts).where(A.id == case.id).values(**values))
    _record(connection, case.id, actor, action, reason, at, detail)
    return case_of(_row(connection, case.id))


def _record(
    connection: Connection, alert_id: str, actor: str, action: str, reason: str, at: datetime, detail: dict[str, Any]
) -> None:
    values = {"alert_id": alert_id, "at": at, "actor": actor, "action": action, "reason": reason, "detail": detail}
    connection.execute(insert(schema.history).values(**values))


def _open_case(connection: Connection, alert_id: str, version: int | None) -> Case:
    """The case, if it is open and as the caller saw it."""
    case = case_of(_row(connection, alert_id))
    if version is not None and version != case.version:
        last = _last(connection, alert_id, but="refired")
        raise Conflict(alert_id, actor=last.actor, at=last.at, action=last.action)
    if not case.is_open:
        raise CaseError("this alert is closed", code="closed", where=f"alert {alert_id}", fix="note what is new on it")
    return case


def _row(connection: Connection, alert_id: str) -> RowMapping:
    row = connection.execute(select(schema.alerts).where(A.id == alert_id)).mappings().first()
    if row is None:
        raise UnknownAlert(f"no alert has the id {alert_id}", code="unknown", fix="take an id from `canh alerts list`")
    return row


def _last(connection: Connection, alert_id: str, but: str = "") -> HistoryEntry:
    history = schema.history.c
    query = select(schema.history).where(history.alert_id == alert_id, history.action != but)
    return entry_of(connection.execute(query.order_by(history.id.desc()).limit(1)).mappings().one())


def _next_seq(connection: Connection) -> int:
    table = schema.sequence
    query = update(table).where(table.c.name == "alerts").values(value=table.c.value + 1).returning(table.c.value)
    return int(connection.execute(query).scalar_one())


def _narrow(query: Select[Any], filters: Filter) -> Select[Any]:
    for wanted, column in (
        (filters.get("ids"), A.id),
        (filters.get("rule"), A.rule_id),
        (filters.get("device"), A.device),
        (filters.get("site"), A.site),
        (filters.get("assignee"), A.assignee),
    ):
        if wanted is not None:
            query = query.where(column.in_([wanted] if isinstance(wanted, str) else [*wanted]))
    if (since := filters.get("since")) is not None:
        query = query.where(A.raised_at >= since.astimezone(UTC))
    if (due := filters.get("due_before")) is not None:
        query = query.where(A.attention_at < due.astimezone(UTC))
    if (closed := filters.get("closed_since")) is not None:
        query = query.where(A.closed_at >= closed.astimezone(UTC))
    if statuses := filters.get("status"):
        query = query.where(A.status.in_([str(s.value) for s in statuses]))
    if levels := filters.get("level"):
        query = query.where(A.level.in_([str(level.value) for level in levels]))
    if text := filters.get("text"):
        query = query.where(
            A.title.icontains(text, autoescape=True)
            | A.rule_id.icontains(text, autoescape=True)
            | A.device.icontains(text, autoescape=True)
            | A.site.icontains(text, autoescape=True)
        )
    return query
