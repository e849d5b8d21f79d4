"""Lead to the results with warnings by an index of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

WARNED = sa.text("status = 'completed' AND count_warning > 0")


def upgrade() -> None:
    op.create_index(
        "ix_job_results_warned",
        "job_results",
        ["created_at"],
        sqlite_where=WARNED,
        postgresql_where=WARNED,
    )


def downgrade() -> None:
    op.drop_index("ix_job_results_warned", table_name="job_results")
