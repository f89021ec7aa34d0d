"""Alerts that a running change explains: which change, and until when at the latest nobody is told."""

import sqlalchemy as sa
from alembic import op

from soc._schema import UtcTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alerts", sa.Column("change_id", sa.String(64), nullable=False, server_default=""))
    op.add_column("alerts", sa.Column("held_until", UtcTime(), nullable=True))
    op.create_index("alerts_held", "alerts", ["held_until"])


def downgrade() -> None:
    op.drop_index("alerts_held", "alerts")
    op.drop_column("alerts", "held_until")
    op.drop_column("alerts", "change_id")
