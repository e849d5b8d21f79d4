"""Presets of a job's inputs."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Empty until the next refresh, which `up` begins with.
    with op.batch_alter_table("job_records") as table:
        table.add_column(
            sa.Column("presets", sa.JSON(none_as_null=True), nullable=False, server_default="{}")
        )


def downgrade() -> None:
    with op.batch_alter_table("job_records") as table:
        table.drop_column("presets")
