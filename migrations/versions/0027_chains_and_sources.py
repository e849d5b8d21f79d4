"""Chains follow each end that was written, runs know what they led to, and repositories have calendars."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0025"
branch_labels = None
depends_on = None

UNFOLLOWED = sa.text("NOT followed AND finished_at IS NOT NULL")
REFUSED = sa.text("refused <> ''")
HAS_PARENT = sa.text("parent_id IS NOT NULL")


def upgrade() -> None:
    # What ended before the chains had got to it was followed already; of what came since, they have links.
    op.add_column(
        "job_results", sa.Column("followed", sa.Boolean(), nullable=False, server_default=sa.true())
    )
    op.execute(
        "UPDATE job_results SET followed = false WHERE finished_at IS NULL "
        "OR finished_at >= (SELECT min(since) FROM chains WHERE enabled)"
    )
    for name, columns, where in (
        ("ix_job_results_unfollowed", ["finished_at"], UNFOLLOWED),
        ("ix_job_results_parent_id_created_at", ["parent_id", "created_at"], HAS_PARENT),
    ):
        op.create_index(name, "job_results", columns, sqlite_where=where, postgresql_where=where)
    op.drop_column("chains", "since")
    for column in (
        sa.Column("cron", sa.String(length=500), nullable=False, server_default=""),
        sa.Column("zone", sa.String(length=64), nullable=False, server_default="UTC"),
        sa.Column("next_sync_at", sa.DateTime(timezone=True), nullable=True),
    ):
        op.add_column("git_sources", column)
    op.add_column("source_syncs", sa.Column("test", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("chain_links", sa.Column("refused", sa.Text(), nullable=False, server_default=""))
    op.create_index(
        "ix_chain_links_refused",
        "chain_links",
        ["chain_id", "dealt_at"],
        sqlite_where=REFUSED,
        postgresql_where=REFUSED,
    )


def downgrade() -> None:
    at = sa.DateTime(timezone=True)
    op.execute("DELETE FROM source_syncs WHERE test")
    op.drop_column("source_syncs", "test")
    for name in ("next_sync_at", "zone", "cron"):
        op.drop_column("git_sources", name)
    op.drop_index("ix_chain_links_refused", table_name="chain_links")
    op.drop_column("chain_links", "refused")
    op.add_column(
        "chains", sa.Column("since", at, nullable=False, server_default=sa.func.current_timestamp())
    )
    for name in ("ix_job_results_parent_id_created_at", "ix_job_results_unfollowed"):
        op.drop_index(name, table_name="job_results")
    op.drop_column("job_results", "followed")
