"""An index of the jobs that their authors have switched off: each page asks whether there are any."""

import sqlalchemy as sa
from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_job_records_withdrawn",
        "job_records",
        ["id"],
        sqlite_where=sa.text("withdrawn = 1"),
        postgresql_where=sa.text("withdrawn"),
    )


def downgrade() -> None:
    op.drop_index("ix_job_records_withdrawn", "job_records")
