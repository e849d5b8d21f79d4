"""Markers that were put there to keep a dead run from saving anything."""

import sqlalchemy as sa
from alembic import op

revision = "errand_0002"
down_revision = "errand_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "errand_run_markers", sa.Column("buried", sa.Boolean(), server_default=sa.false(), nullable=False)
    )


def downgrade() -> None:
    with op.batch_alter_table("errand_run_markers") as table:
        table.drop_column("buried")
