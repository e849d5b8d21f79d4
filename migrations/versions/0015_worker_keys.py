"""Inputs that only a worker can open, and that another run may use; which jobs people do not run themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "worker_keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(length=16), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker_keys")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_worker_keys_fingerprint")),
    )
    op.add_column("job_results", sa.Column("sealed_facts", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("job_results", sa.Column("kept_box", sa.LargeBinary(), nullable=True))
    op.add_column("job_results", sa.Column("kept_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("job_results", sa.Column("sealed_for", sa.Uuid(), nullable=True))
    op.create_index("ix_job_results_kept_until", "job_results", ["kept_until"])
    op.create_index("ix_job_results_finished_at", "job_results", ["finished_at"])
    op.add_column(
        "job_records", sa.Column("receives", sa.String(length=10), nullable=False, server_default="")
    )
    # What was encrypted before has no facts, and is not opened any more: runs that wait with it say so.


def downgrade() -> None:
    op.drop_column("job_records", "receives")
    op.drop_index("ix_job_results_finished_at", "job_results")
    op.drop_index("ix_job_results_kept_until", "job_results")
    for column in ("sealed_for", "kept_until", "kept_box", "sealed_facts"):
        op.drop_column("job_results", column)
    op.drop_table("worker_keys")
