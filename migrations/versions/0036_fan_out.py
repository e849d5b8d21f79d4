"""Runs that ask for runs of other jobs, and wait for them."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

HAS_PARENT = sa.text("parent_id IS NOT NULL")
IS_MAPPED = sa.text("map_number IS NOT NULL")
IS_WAITING = sa.text("gathers = 'waiting'")


def upgrade() -> None:
    # Added one by one: SQLite would drop the table's trigger if the table were copied.
    for column in (
        sa.Column("map_number", sa.Integer(), nullable=True),
        sa.Column("map_limit", sa.Integer(), nullable=True),
        sa.Column("gathers", sa.String(length=10), nullable=False, server_default=""),
        sa.Column("attempts_before", sa.Integer(), nullable=False, server_default="0"),
    ):
        op.add_column("job_results", column)
    _index("ix_job_results_children", ["parent_id", "status", "map_number"], HAS_PARENT)
    _index("uq_job_results_parent_id_map_number", ["parent_id", "map_number"], IS_MAPPED, unique=True)
    _index("ix_job_results_gathers", ["status"], IS_WAITING)
    _tables()


def _index(name: str, columns: list[str], where: sa.TextClause, *, unique: bool = False) -> None:
    op.create_index(name, "job_results", columns, unique=unique, sqlite_where=where, postgresql_where=where)


def _tables() -> None:
    at = sa.DateTime(timezone=True)
    op.create_table(
        "gatherings",
        sa.Column("result_id", sa.Uuid(), nullable=False),
        sa.Column("method", sa.String(length=200), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("first", sa.JSON(), nullable=False),
        sa.Column("again_of", sa.Uuid(), nullable=True),
        sa.Column("created_at", at, nullable=False),
        _of_result("gatherings"),
        sa.PrimaryKeyConstraint("result_id", name=op.f("pk_gatherings")),
    )
    op.create_table(
        "fan_outs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("result_id", sa.Uuid(), nullable=False),
        sa.Column("class_path", sa.String(length=400), nullable=False),
        sa.Column("queue", sa.String(length=100), nullable=False),
        sa.Column("at_once", sa.Integer(), nullable=False),
        sa.Column("stop_after", sa.Integer(), nullable=False),
        sa.Column("stop_cause", sa.Text(), nullable=False),
        _of_result("fan_outs"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fan_outs")),
    )
    op.create_index("ix_fan_outs_result_id", "fan_outs", ["result_id"])
    op.create_table(
        "fan_out_parts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("fan_out_id", sa.Uuid(), nullable=False),
        sa.Column("result_id", sa.Uuid(), nullable=False),
        sa.Column("first_number", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("free_at", at, nullable=False),
        sa.ForeignKeyConstraint(
            ["fan_out_id"],
            ["fan_outs.id"],
            name=op.f("fk_fan_out_parts_fan_out_id_fan_outs"),
            ondelete="CASCADE",
        ),
        _of_result("fan_out_parts"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fan_out_parts")),
    )
    op.create_index("ix_fan_out_parts_fan_out_id", "fan_out_parts", ["fan_out_id"])
    op.create_index("ix_fan_out_parts_result_id", "fan_out_parts", ["result_id"])


def _of_result(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_result_id_job_results")
    return sa.ForeignKeyConstraint(["result_id"], ["job_results.id"], name=name, ondelete="CASCADE")


def downgrade() -> None:
    for table in ("fan_out_parts", "fan_outs", "gatherings"):
        op.drop_table(table)
    for index in (
        "ix_job_results_gathers",
        "uq_job_results_parent_id_map_number",
        "ix_job_results_children",
    ):
        op.drop_index(index, table_name="job_results")
    for name in ("attempts_before", "gathers", "map_limit", "map_number"):
        op.drop_column("job_results", name)
