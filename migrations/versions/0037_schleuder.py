"""The registry of jobschleuder, and what workers say of themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    json = sa.JSON(none_as_null=True)
    op.create_table(
        "schleuder_jobs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job", sa.String(length=50), nullable=False),
        sa.Column("description", sa.String(length=100), nullable=False),
        sa.Column("preprocessing", sa.String(length=50), nullable=False),
        sa.Column("postprocessing", sa.String(length=50), nullable=False),
        sa.Column("arguments", json, nullable=False),
        sa.Column("label", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schleuder_jobs")),
    )
    op.create_table(
        "schleuder_registry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Integer(), nullable=False),
        sa.Column("schedule", sa.String(length=100), nullable=False),
        sa.Column("cron", sa.String(length=100), nullable=False),
        sa.Column("schedule_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["job_id"], ["schleuder_jobs.id"], ondelete="CASCADE", name=op.f("fk_schleuder_registry_job_id")
        ),
        sa.ForeignKeyConstraint(
            ["schedule_id"],
            ["schedules.id"],
            ondelete="SET NULL",
            name=op.f("fk_schleuder_registry_schedule_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schleuder_registry")),
    )
    for column in ("job_id", "schedule_id"):
        op.create_index(op.f(f"ix_schleuder_registry_{column}"), "schleuder_registry", [column])
    labels = sa.Column("labels", json, nullable=False, server_default="[]")
    op.add_column("worker_processes", labels)


def downgrade() -> None:
    op.drop_column("worker_processes", "labels")
    op.drop_table("schleuder_registry")
    op.drop_table("schleuder_jobs")
