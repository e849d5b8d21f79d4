"""Channels that are told by mail, and advice apart from load errors."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    json = sa.JSON(none_as_null=True)
    op.add_column("channels", sa.Column("sender", sa.String(length=255), nullable=False, server_default=""))
    op.add_column("channels", sa.Column("receivers", json, nullable=False, server_default="[]"))
    advice = sa.Column("advice", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("load_errors", advice)


def downgrade() -> None:
    op.drop_column("load_errors", "advice")
    op.drop_column("channels", "receivers")
    op.drop_column("channels", "sender")
