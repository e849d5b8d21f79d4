"""Lists of a million results: each index in the whole order of the list, and one of those that ended badly."""

import sqlalchemy as sa
from alembic import op

revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None

TABLE, BAD = "job_results", sa.text("lower(status) IN ('failed', 'errored')")
#: {columns as they were: columns as they are}.
INDEXES = {
    ("status", "created_at"): ("status", "created_at", "id"),
    ("user_id", "created_at"): ("user_id", "created_at", "id"),
    ("job_id", "created_at"): ("job_id", "created_at", "id", "status"),
}


def upgrade() -> None:
    for old, new in INDEXES.items():
        op.create_index(_name(new), TABLE, new)
        # Mixed versions: the new index begins with all that the old one had.
        op.drop_index(_name(old), TABLE)
    op.create_index("ix_job_results_bad", TABLE, ["created_at", "id"], sqlite_where=BAD, postgresql_where=BAD)


def downgrade() -> None:
    op.drop_index("ix_job_results_bad", TABLE)
    for old, new in INDEXES.items():
        op.create_index(_name(old), TABLE, old)
        op.drop_index(_name(new), TABLE)


def _name(columns: tuple[str, ...]) -> str:
    name: str = op.f("_".join(["ix", TABLE, *columns]))
    return name
