"""An index of the entries that say what failed: the page of a run names the first ones, however long its log is."""

import sqlalchemy as sa
from alembic import op

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None

NAME = "ix_log_entries_failures"
FAILURE = sa.text("level = 'failure' OR level = 'error' OR level = 'critical'")


def upgrade() -> None:
    op.create_index(NAME, "log_entries", ["result_id", "seq"], sqlite_where=FAILURE, postgresql_where=FAILURE)


def downgrade() -> None:
    op.drop_index(NAME, "log_entries")
