"""The engine: limits, retries, concurrency, workers, queues, snapshots of sources."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

RECORD_COLUMNS = [
    ("memory_limit", sa.Double(), "0"),
    ("fresh_process", sa.Boolean(), sa.false()),
    ("idempotent", sa.Boolean(), sa.false()),
    ("max_retries", sa.Integer(), "0"),
    ("retry_delay", sa.Double(), "0"),
    ("concurrency_limit", sa.Integer(), "0"),
    ("concurrency_key", sa.JSON(none_as_null=True), "[]"),
    ("concurrency_policy", sa.String(length=20), "wait"),
    ("rate_limit", sa.String(length=20), ""),
    ("priority", sa.String(length=10), "normal"),
    ("expires", sa.Double(), "0"),
]
RESULT_COLUMNS = [
    ("priority", sa.String(length=10), "normal"),
    ("soft_time_limit", sa.Double(), "0"),
    ("memory_limit", sa.Double(), "0"),
    ("errors", sa.Integer(), "0"),
    ("losses", sa.Integer(), "0"),
]
NULLABLE_RESULT_COLUMNS = [
    ("idempotency_key", sa.String(length=200)),
    ("idempotency_digest", sa.String(length=64)),
    ("concurrency_key", sa.String(length=500)),
    ("not_before", sa.DateTime(timezone=True)),
    ("expires_at", sa.DateTime(timezone=True)),
    ("began_at", sa.DateTime(timezone=True)),
    ("source_digest", sa.String(length=64)),
]

#: Only of the few rows that do not simply wait on their queue; those that do never touch them. The state comes
#: first, although it is always the same: SQLite would prefer the larger index that begins with it.
WAITING_INDEXES = [
    ("ix_job_results_unpushed", "not_before", "status = 'pending' AND pushed_at IS NULL"),
    ("ix_job_results_expiring", "expires_at", "status = 'pending' AND expires_at IS NOT NULL"),
]

#: SQLite drops a table's triggers when Alembic copies the table: a later revision that does so makes it anew.
FINAL = "('completed', 'failed', 'errored', 'canceled', 'denied')"
TRIGGER = "job_results_final_stays"


def upgrade() -> None:
    with op.batch_alter_table("job_records") as table:
        for name, kind, default in RECORD_COLUMNS:
            table.add_column(sa.Column(name, kind, nullable=False, server_default=default))
    with op.batch_alter_table("job_sources") as table:
        table.add_column(sa.Column("digest", sa.String(length=64), nullable=False, server_default=""))
        table.add_column(sa.Column("note", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("job_results") as table:
        for name, kind, default in RESULT_COLUMNS:
            table.add_column(sa.Column(name, kind, nullable=False, server_default=default))
        for name, kind in NULLABLE_RESULT_COLUMNS:
            table.add_column(sa.Column(name, kind, nullable=True))
        table.create_unique_constraint(
            "uq_job_results_user_id_idempotency_key", ["user_id", "idempotency_key"]
        )
    op.create_index("ix_job_results_concurrency_key_status", "job_results", ["concurrency_key", "status"])
    for name, column, condition in WAITING_INDEXES:
        where = sa.text(condition)
        op.create_index(name, "job_results", ["status", column], sqlite_where=where, postgresql_where=where)
    op.create_table(
        "job_starts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["job_records.id"], name=op.f("fk_job_starts_job_id_job_records"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_starts")),
    )
    op.create_index("ix_job_starts_job_id_started_at", "job_starts", ["job_id", "started_at"])
    op.create_index("ix_job_results_started_at_queue", "job_results", ["started_at", "queue"])
    op.create_table(
        "source_snapshots",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("archive", sa.LargeBinary(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_source_snapshots")),
    )
    op.create_table(
        "worker_processes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("host_key", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started", sa.String(length=40), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("queues", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("result_id", sa.Uuid(), nullable=True),
        sa.Column("memory_bytes", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("beat", sa.Integer(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reconciled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("drain", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_worker_processes")),
        sa.UniqueConstraint("name", name=op.f("uq_worker_processes_name")),
    )
    op.create_table(
        "queues",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.Column("paused_by", sa.String(length=150), nullable=True),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_queues")),
        sa.UniqueConstraint("name", name=op.f("uq_queues_name")),
    )
    op.create_table(
        "file_chunks",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", "number", name=op.f("pk_file_chunks")),
    )
    _make_trigger()


def downgrade() -> None:
    _drop_trigger()
    for table_name in ("file_chunks", "queues", "worker_processes", "source_snapshots", "job_starts"):
        op.drop_table(table_name)
    for name, *_ in WAITING_INDEXES:
        op.drop_index(name, "job_results")
    op.drop_index("ix_job_results_started_at_queue", "job_results")
    op.drop_index("ix_job_results_concurrency_key_status", "job_results")
    with op.batch_alter_table("job_results") as table:
        table.drop_constraint("uq_job_results_user_id_idempotency_key", type_="unique")
        for name, *_ in (*NULLABLE_RESULT_COLUMNS, *RESULT_COLUMNS):
            table.drop_column(name)
    with op.batch_alter_table("job_sources") as table:
        table.drop_column("note")
        table.drop_column("digest")
    with op.batch_alter_table("job_records") as table:
        for name, *_ in RECORD_COLUMNS:
            table.drop_column(name)


def _make_trigger() -> None:
    """Have the database itself refuse to change how a run ended."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"CREATE TRIGGER {TRIGGER} BEFORE UPDATE OF status ON job_results "
            f"WHEN OLD.status IN {FINAL} AND NEW.status <> OLD.status "
            "BEGIN SELECT RAISE(ABORT, 'a result that has ended stays as it is'); END"
        )
        return
    op.execute(
        f"CREATE FUNCTION {TRIGGER}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'a result that has ended stays as it is' USING ERRCODE = 'check_violation'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {TRIGGER} BEFORE UPDATE OF status ON job_results FOR EACH ROW "
        f"WHEN (OLD.status IN {FINAL} AND NEW.status <> OLD.status) EXECUTE FUNCTION {TRIGGER}()"
    )


def _drop_trigger() -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"DROP TRIGGER {TRIGGER}")
        return
    op.execute(f"DROP TRIGGER {TRIGGER} ON job_results")
    op.execute(f"DROP FUNCTION {TRIGGER}()")
