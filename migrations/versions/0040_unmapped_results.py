"""The list of results without what runs have asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    where = sa.text("map_number IS NULL")
    columns = ["created_at", "id"]
    op.create_index(
        "ix_job_results_unmapped", "job_results", columns, sqlite_where=where, postgresql_where=where
    )


def downgrade() -> None:
    op.drop_index("ix_job_results_unmapped", "job_results")
