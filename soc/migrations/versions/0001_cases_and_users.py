"""Alerts with their work and history, users, sessions."""

import sqlalchemy as sa
from alembic import op

from soc._schema import UtcTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    sequence = op.create_table("sequence", sa.Column("name", sa.String(32), primary_key=True), _number("value"))
    op.bulk_insert(sequence, [{"name": "alerts", "value": 0}])
    op.create_table(
        "alerts",
        sa.Column("id", sa.String(64), primary_key=True),
        _text("rule_id", 200),
        sa.Column("title", sa.Text(), nullable=False),
        _text("level", 16),
        _json("tags"),
        _text("device", 200),
        _text("site", 200),
        _json("grouping"),
        _number("count"),
        _time("first_seen"),
        _time("last_seen"),
        _time("raised_at"),
        _time("received_at"),
        _json("matches"),
        _json("events"),
        _text("status", 16),
        _text("assignee", 64),
        _time("due_at", nullable=True),
        _time("until", nullable=True),
        _time("attention_at", nullable=True),
        _text("resolution", 32),
        _time("closed_at", nullable=True),
        _number("worked_count"),
        _number("version"),
        _number("seq"),
        _number("created_seq"),
    )
    op.create_index("alerts_seq", "alerts", ["seq"])
    op.create_index("alerts_queue", "alerts", ["status", "attention_at"])
    op.create_index("alerts_rule", "alerts", ["rule_id", "raised_at"])
    op.create_table(
        "history",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("alert_id", sa.String(64), sa.ForeignKey("alerts.id"), nullable=False),
        _time("at"),
        _text("actor", 64),
        _text("action", 32),
        sa.Column("reason", sa.Text(), nullable=False),
        _json("detail"),
    )
    op.create_index("history_alert", "history", ["alert_id", "id"])
    op.create_table(
        "users",
        sa.Column("name", sa.String(64), primary_key=True),
        _text("full_name", 200),
        _text("role", 16),
        sa.Column("password_hash", sa.Text(), nullable=False),
        _text("language", 2),
        _number("failures"),
        _time("locked_until", nullable=True),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        _time("created_at"),
        _time("last_login_at", nullable=True),
    )
    op.create_table(
        "sessions",
        sa.Column("token_hash", sa.String(64), primary_key=True),
        sa.Column("user_name", sa.String(64), sa.ForeignKey("users.name"), nullable=False),
        _text("csrf", 64),
        _time("created_at"),
        _time("seen_at"),
        _text("source", 64),
    )
    op.create_index("sessions_user", "sessions", ["user_name"])


def downgrade() -> None:
    for table in ("sessions", "users", "history", "alerts", "sequence"):
        op.drop_table(table)


def _text(name: str, size: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(size), nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _json(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.JSON(), nullable=False)


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, UtcTime(), nullable=nullable)
