"""The git commit of a job's file, and of the code that a run ran."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "job_records", sa.Column("code_commit", sa.String(length=64), nullable=False, server_default="")
    )
    op.add_column("job_results", sa.Column("code_commit", sa.String(length=64), nullable=True))


def downgrade() -> None:
    op.drop_column("job_results", "code_commit")
    op.drop_column("job_records", "code_commit")
