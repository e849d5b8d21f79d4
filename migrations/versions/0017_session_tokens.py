"""Sessions that get a new token from time to time."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("user_sessions", sa.Column("previous_hash", sa.String(length=64), nullable=True))
    op.add_column(
        "user_sessions",
        sa.Column(
            "rotated_at", sa.DateTime(timezone=True), nullable=False, server_default="2026-01-01 00:00:00"
        ),
    )
    op.create_index(op.f("ix_user_sessions_previous_hash"), "user_sessions", ["previous_hash"])


def downgrade() -> None:
    op.drop_index(op.f("ix_user_sessions_previous_hash"), "user_sessions")
    op.drop_column("user_sessions", "rotated_at")
    op.drop_column("user_sessions", "previous_hash")
