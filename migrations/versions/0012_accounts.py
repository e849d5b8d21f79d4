"""What a token may do, where a session was begun, and passwords that were wrong."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "api_tokens", sa.Column("read_only", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column(
        "api_tokens",
        sa.Column("class_paths", sa.JSON(none_as_null=True), nullable=False, server_default="[]"),
    )
    op.add_column(
        "user_sessions", sa.Column("agent", sa.String(length=200), nullable=False, server_default="")
    )
    op.add_column(
        "user_sessions", sa.Column("address", sa.String(length=64), nullable=False, server_default="")
    )
    op.create_table(
        "sign_in_failures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sign_in_failures")),
        sa.UniqueConstraint("key", name=op.f("uq_sign_in_failures_key")),
    )
    op.create_index(op.f("ix_sign_in_failures_last_at"), "sign_in_failures", ["last_at"])


def downgrade() -> None:
    op.drop_table("sign_in_failures")
    for table, column in (
        ("user_sessions", "address"),
        ("user_sessions", "agent"),
        ("api_tokens", "class_paths"),
        ("api_tokens", "read_only"),
    ):
        op.drop_column(table, column)
