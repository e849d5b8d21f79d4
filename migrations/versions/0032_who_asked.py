"""Who last asked for a schedule to be approved."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("schedules", sa.Column("asked_by_id", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("schedules", "asked_by_id")
