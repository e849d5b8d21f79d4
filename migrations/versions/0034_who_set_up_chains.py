"""Who set up a chain, and so asks for the approvals of what it runs."""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("chains", sa.Column("set_up_by_id", sa.Integer(), nullable=True))
    op.add_column("approvals", sa.Column("asked_by_id", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("approvals", "asked_by_id")
    op.drop_column("chains", "set_up_by_id")
