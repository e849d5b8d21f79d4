"""What may be asked for a single run: its profile, and to ignore the lock of its singleton."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

#: Added one by one: SQLite would drop the table's trigger if the table were copied.
COLUMNS = ("hot_functions", "ignore_singleton_lock", "profile")


def upgrade() -> None:
    for name in ("profile", "ignore_singleton_lock"):
        op.add_column("job_results", sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("job_results", sa.Column("hot_functions", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    for name in COLUMNS:
        op.drop_column("job_results", name)
