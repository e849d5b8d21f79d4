"""Files and secrets of runs, what a job says of its progress, and who asked for it from where."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

#: Added one by one: SQLite would drop the table's trigger if the table were copied.
RESULT_COLUMNS = ("progress", "request", "uploads")


def upgrade() -> None:
    op.add_column("job_results", sa.Column("progress", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("job_results", sa.Column("request", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("job_results", sa.Column("uploads", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "run_files",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("result_id", sa.Uuid(), nullable=True),
        sa.Column("variable", sa.String(length=100), nullable=True),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("content_type", sa.String(length=100), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["result_id"],
            ["job_results.id"],
            name=op.f("fk_run_files_result_id_job_results"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_files")),
        sa.UniqueConstraint("key", name=op.f("uq_run_files_key")),
    )
    op.create_index("ix_run_files_result_id", "run_files", ["result_id"])


def downgrade() -> None:
    op.drop_table("run_files")
    for name in RESULT_COLUMNS:
        op.drop_column("job_results", name)
