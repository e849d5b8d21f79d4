"""The dialect of a job."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "job_records", sa.Column("dialect", sa.String(length=10), nullable=False, server_default="classic")
    )


def downgrade() -> None:
    op.drop_column("job_records", "dialect")
