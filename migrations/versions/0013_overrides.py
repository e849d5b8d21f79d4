"""What an admin says of a job in place of its code."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

COLUMNS = ("overrides", "code_facts")


def upgrade() -> None:
    # What the code says is filled in by the next refresh, which `up` begins with.
    for name in COLUMNS:
        op.add_column(
            "job_records", sa.Column(name, sa.JSON(none_as_null=True), nullable=False, server_default="{}")
        )


def downgrade() -> None:
    for name in COLUMNS:
        op.drop_column("job_records", name)
