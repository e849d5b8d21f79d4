"""What makes runs at set times, and what asked for a run."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

ON = sa.text("enabled AND wakes_at IS NOT NULL")
FROM_SOMETHING = sa.text("origin_id IS NOT NULL")


def upgrade() -> None:
    at = sa.DateTime(timezone=True)
    json = sa.JSON(none_as_null=True)
    op.create_table(
        "schedules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("class_path", sa.String(length=400), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("username", sa.String(length=150), nullable=False),
        sa.Column("interval", sa.String(length=20), nullable=False),
        sa.Column("start_at", at, nullable=False),
        sa.Column("end_at", at, nullable=True),
        sa.Column("zone", sa.String(length=64), nullable=False),
        sa.Column("cron", sa.String(length=200), nullable=False),
        sa.Column("dialect", sa.String(length=20), nullable=False),
        sa.Column("blackouts", json, nullable=False),
        sa.Column("jitter_seconds", sa.Integer(), nullable=False),
        sa.Column("missed", sa.String(length=10), nullable=False),
        sa.Column("overlap", sa.String(length=10), nullable=False),
        sa.Column("data", json, nullable=False),
        sa.Column("commit", sa.Boolean(), nullable=False),
        sa.Column("queue", sa.String(length=100), nullable=False),
        sa.Column("kept_box", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_facts", json, nullable=True),
        sa.Column("concurrency_key", sa.String(length=500), nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("switched_by", sa.String(length=150), nullable=True),
        sa.Column("switched_at", at, nullable=True),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.Column("last_slot_at", at, nullable=True),
        sa.Column("next_slot_at", at, nullable=True),
        sa.Column("wakes_at", at, nullable=True),
        sa.Column("last_run_at", at, nullable=True),
        sa.Column("total_run_count", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", at, nullable=False),
        sa.Column("updated_at", at, nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["job_records.id"], name=op.f("fk_schedules_job_id_job_records"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_schedules_user_id_users"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schedules")),
    )
    for column in ("job_id", "user_id"):
        op.create_index(op.f(f"ix_schedules_{column}"), "schedules", [column])
    op.create_index("ix_schedules_waking", "schedules", ["wakes_at"], sqlite_where=ON, postgresql_where=ON)
    op.create_table(
        "missed_slots",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("schedule_id", sa.Uuid(), nullable=False),
        sa.Column("first_at", at, nullable=False),
        sa.Column("last_at", at, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("noticed_at", at, nullable=False),
        sa.ForeignKeyConstraint(
            ["schedule_id"],
            ["schedules.id"],
            name=op.f("fk_missed_slots_schedule_id_schedules"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_missed_slots")),
    )
    op.create_index(op.f("ix_missed_slots_schedule_id"), "missed_slots", ["schedule_id"])
    for column in (
        sa.Column("origin", sa.String(length=20), nullable=False, server_default=""),
        sa.Column("origin_id", sa.Uuid(), nullable=True),
        sa.Column("origin_name", sa.String(length=255), nullable=False, server_default=""),
        sa.Column("origin_key", sa.String(length=100), nullable=True),
        sa.Column("slot_at", at, nullable=True),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("after_id", sa.Uuid(), nullable=True),
    ):
        op.add_column("job_results", column)
    for name, column, unique in (
        ("ix_job_results_origin_id_created_at", "created_at", False),
        ("uq_job_results_origin_id_origin_key", "origin_key", True),
    ):
        op.create_index(
            name,
            "job_results",
            ["origin_id", column],
            unique=unique,
            sqlite_where=FROM_SOMETHING,
            postgresql_where=FROM_SOMETHING,
        )


def downgrade() -> None:
    for name in ("uq_job_results_origin_id_origin_key", "ix_job_results_origin_id_created_at"):
        op.drop_index(name, table_name="job_results")
    for column in (
        "after_id",
        "parent_id",
        "slot_at",
        "origin_key",
        "origin_name",
        "origin_id",
        "origin",
    ):
        op.drop_column("job_results", column)
    op.drop_table("missed_slots")
    op.drop_table("schedules")
