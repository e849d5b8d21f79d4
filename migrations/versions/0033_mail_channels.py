"""Channels that are told by mail."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    json = sa.JSON(none_as_null=True)
    op.add_column("channels", sa.Column("sender", sa.String(length=255), nullable=False, server_default=""))
    op.add_column("channels", sa.Column("receivers", json, nullable=False, server_default="[]"))


def downgrade() -> None:
    op.drop_column("channels", "receivers")
    op.drop_column("channels", "sender")
