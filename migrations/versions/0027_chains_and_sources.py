"""Chains follow each end that was written, runs know what they led to, and repositories have calendars."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

UNFOLLOWED = sa.text("NOT followed AND finished_at IS NOT NULL")
REFUSED = sa.text("refused <> ''")
HAS_PARENT = sa.text("parent_id IS NOT NULL")


def upgrade() -> None:
    # What ended before all the chains had got to it was followed already.
    op.add_column(
        "job_results", sa.Column("followed", sa.Boolean(), nullable=False, server_default=sa.true())
    )
    op.execute(
        "UPDATE job_results SET followed = false WHERE finished_at IS NULL "
        "OR finished_at >= (SELECT min(since) FROM chains WHERE enabled AND job_id IS NOT NULL)"
    )
    for name, columns, where in (
        ("ix_job_results_unfollowed", ["finished_at"], UNFOLLOWED),
        ("ix_job_results_parent_id_created_at", ["parent_id", "created_at"], HAS_PARENT),
    ):
        op.create_index(name, "job_results", columns, sqlite_where=where, postgresql_where=where)
    op.add_column("chain_links", sa.Column("refused", sa.Text(), nullable=False, server_default=""))
    op.create_index(
        "ix_chain_links_refused",
        "chain_links",
        ["chain_id", "dealt_at"],
        sqlite_where=REFUSED,
        postgresql_where=REFUSED,
    )
    # Of the rest each chain has links, to what ended before it looked, too.
    op.execute(
        "INSERT INTO chain_links (chain_id, result_id, dealt_at, refused) "
        "SELECT c.id, r.id, c.since, '' FROM chains c JOIN job_results r ON r.job_id = c.job_id "
        "WHERE NOT r.followed AND r.finished_at < c.since AND NOT EXISTS "
        "(SELECT 1 FROM chain_links l WHERE l.chain_id = c.id AND l.result_id = r.id)"
    )
    op.drop_column("chains", "since")
    for column in (
        sa.Column("cron", sa.String(length=500), nullable=False, server_default=""),
        sa.Column("zone", sa.String(length=64), nullable=False, server_default="UTC"),
        sa.Column("next_sync_at", sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column("git_sources", column)
    op.add_column("source_syncs", sa.Column("test", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    at = sa.DateTime(timezone=True)
    op.execute("DELETE FROM source_syncs WHERE test")
    op.drop_column("source_syncs", "test")
    for name in ("next_sync_at", "zone", "cron"):
        op.drop_column("git_sources", name)
    op.drop_index("ix_chain_links_refused", table_name="chain_links")
    op.drop_column("chain_links", "refused")
    # SQLite takes only a constant for the rows that are there.
    op.add_column("chains", sa.Column("since", at, nullable=False, server_default="2000-01-01 00:00:00"))
    op.execute("UPDATE chains SET since = CURRENT_TIMESTAMP")
    for name in ("ix_job_results_parent_id_created_at", "ix_job_results_unfollowed"):
        op.drop_index(name, table_name="job_results")
    op.drop_column("job_results", "followed")
