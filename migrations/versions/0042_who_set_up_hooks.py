"""Who set up a hook or a webhook, and so asks for the approvals of what it runs."""

import sqlalchemy as sa
from alembic import op

revision = "0042"
down_revision = "0041"
branch_labels = None
depends_on = None

TABLES = ("hooks", "webhooks")


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("set_up_by_id", sa.Integer(), nullable=True))


def downgrade() -> None:
    for table in TABLES:
        op.drop_column(table, "set_up_by_id")
