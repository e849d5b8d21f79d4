"""Tallies of ended runs; how long results are kept, and which ones for good."""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

DAYS = ("keep_days", "keep_failed_days")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "run_tallies",
        sa.Column("job", sa.String(length=400), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("runs", sa.BigInteger(), nullable=False),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("buckets", sa.JSON(), nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("job", "status", name=op.f("pk_run_tallies")),
    )
    op.create_table(
        "tally_places",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("finished_at", MOMENT, nullable=False),
        sa.Column("result_id", sa.Uuid(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("last_entry_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tally_places")),
    )
    op.create_table(
        "retention",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=True) for name in DAYS),
        sa.Column("set_by", sa.String(length=150), nullable=True),
        sa.Column("set_at", MOMENT, nullable=True),
        sa.Column("walked_at", MOMENT, nullable=True),
        sa.Column("walked_id", sa.Uuid(), nullable=True),
        sa.Column("round_at", MOMENT, nullable=True),
        sa.Column("results", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retention")),
    )
    for name in DAYS:
        op.add_column("job_records", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.add_column("job_results", sa.Column("pinned", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("job_results", "pinned")
    for name in reversed(DAYS):
        op.drop_column("job_records", name)
    for table in ("retention", "tally_places", "run_tallies"):
        op.drop_table(table)
