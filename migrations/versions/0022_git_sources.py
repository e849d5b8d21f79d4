"""Git repositories that jobs come from."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

RUNNING = sa.text("state = 'running'")


def upgrade() -> None:
    at = sa.DateTime(timezone=True)
    json = sa.JSON(none_as_null=True)
    op.create_table(
        "git_sources",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(length=50), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("ref", sa.String(length=200), nullable=False),
        sa.Column("path", sa.String(length=200), nullable=False),
        sa.Column("username", sa.String(length=200), nullable=False),
        sa.Column("secrets", sa.LargeBinary(), nullable=True),
        sa.Column("secret_names", json, nullable=False),
        sa.Column("host_keys", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("interval_minutes", sa.Integer(), nullable=False),
        sa.Column("checked_at", at, nullable=True),
        sa.Column("found_ref", sa.String(length=250), nullable=False),
        sa.Column("refused_commit", sa.String(length=64), nullable=False),
        sa.Column("created_at", at, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_git_sources")),
        sa.UniqueConstraint("slug", name=op.f("uq_git_sources_slug")),
    )
    op.create_table(
        "source_syncs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("asked_by", sa.String(length=150), nullable=False),
        sa.Column("asked_via", sa.String(length=20), nullable=False),
        sa.Column("anyway", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("process_started", sa.String(length=40), nullable=False),
        sa.Column("created_at", at, nullable=False),
        sa.Column("started_at", at, nullable=True),
        sa.Column("finished_at", at, nullable=True),
        sa.Column("from_commit", sa.String(length=64), nullable=False),
        sa.Column("to_commit", sa.String(length=64), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("field", sa.String(length=20), nullable=False),
        sa.Column("errors", json, nullable=False),
        sa.Column("jobs", json, nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["git_sources.id"],
            name=op.f("fk_source_syncs_source_id_git_sources"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_syncs")),
    )
    op.create_index(
        "uq_source_syncs_running",
        "source_syncs",
        ["source_id"],
        unique=True,
        sqlite_where=RUNNING,
        postgresql_where=RUNNING,
    )
    op.create_index("ix_source_syncs_source_id_created_at", "source_syncs", ["source_id", "created_at"])
    op.create_index("ix_source_syncs_state", "source_syncs", ["state"])
    op.create_table(
        "source_deliveries",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("sync_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", at, nullable=False),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["git_sources.id"],
            name=op.f("fk_source_deliveries_source_id_git_sources"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_deliveries")),
        sa.UniqueConstraint("source_id", "digest", name=op.f("uq_source_deliveries_source_id_digest")),
    )
    for table in ("job_sources", "source_snapshots"):
        op.add_column(
            table, sa.Column("code_commit", sa.String(length=64), nullable=False, server_default="")
        )


def downgrade() -> None:
    for table in ("source_snapshots", "job_sources"):
        op.drop_column(table, "code_commit")
    op.drop_table("source_deliveries")
    op.drop_table("source_syncs")
    op.drop_table("git_sources")
