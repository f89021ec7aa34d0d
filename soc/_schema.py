"""Tables of soc.db: alerts with their work, history, users, sessions. Migrations bring a file here.

Times are UTC. `alerts.seq` is taken from `sequence` inside each writing transaction, so whoever
reads `seq > n` in order misses nothing; `alerts.version` moves only when a person acts.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

HEAD = "0002"  # newest migration; a test holds it to soc/migrations/versions

metadata = MetaData()


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC datetime; SQLite keeps no zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


sequence = Table(
    "sequence", metadata, Column("name", String(32), primary_key=True), Column("value", Integer, nullable=False)
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", String(64), primary_key=True),
    # as raised
    Column("rule_id", String(200), nullable=False),
    Column("title", Text, nullable=False),
    Column("level", String(16), nullable=False),
    Column("tags", JSON, nullable=False),
    Column("device", String(200), nullable=False),
    Column("site", String(200), nullable=False),
    Column("grouping", JSON, nullable=False),
    Column("count", Integer, nullable=False),
    Column("first_seen", UtcTime, nullable=False),
    Column("last_seen", UtcTime, nullable=False),
    Column("raised_at", UtcTime, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("matches", JSON, nullable=False),
    Column("events", JSON, nullable=False),
    # as worked
    Column("status", String(16), nullable=False),
    Column("assignee", String(64), nullable=False, default=""),
    Column("due_at", UtcTime),  # null: no deadline
    Column("until", UtcTime),  # end of an acknowledgement
    Column("attention_at", UtcTime),  # what the queue sorts by: until, else due_at
    Column("resolution", String(32), nullable=False, default=""),
    Column("closed_at", UtcTime),
    Column("worked_count", Integer, nullable=False, default=0),  # `count` when a person last acted
    Column("version", Integer, nullable=False, default=0),
    Column("seq", Integer, nullable=False),
    Column("created_seq", Integer, nullable=False),  # when it was raised; when it was told, if it was held before
    # as explained
    Column("change_id", String(64), nullable=False, default="", server_default=""),  # of ours, that explains it
    Column("held_until", UtcTime),  # nobody is told before, unless it is released; null: not held
)
Index("alerts_seq", alerts.c.seq)
Index("alerts_queue", alerts.c.status, alerts.c.attention_at)
Index("alerts_held", alerts.c.held_until)
Index("alerts_rule", alerts.c.rule_id, alerts.c.raised_at)

history = Table(
    "history",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("alert_id", String(64), ForeignKey("alerts.id"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("actor", String(64), nullable=False),
    Column("action", String(32), nullable=False),
    Column("reason", Text, nullable=False, default=""),
    Column("detail", JSON, nullable=False),
)
Index("history_alert", history.c.alert_id, history.c.id)

users = Table(
    "users",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("full_name", String(200), nullable=False, default=""),
    Column("role", String(16), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("language", String(2), nullable=False, default="vi"),
    Column("failures", Integer, nullable=False, default=0),
    Column("locked_until", UtcTime),
    Column("disabled", Boolean, nullable=False, default=False),
    Column("created_at", UtcTime, nullable=False),
    Column("last_login_at", UtcTime),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),  # SHA-256 of the cookie: the file alone lets nobody in
    Column("user_name", String(64), ForeignKey("users.name"), nullable=False),
    Column("csrf", String(64), nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
    Column("source", String(64), nullable=False, default=""),
)
Index("sessions_user", sessions.c.user_name)
