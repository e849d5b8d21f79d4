"""What runs a job when a run of another one has ended."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    at = sa.DateTime(timezone=True)
    op.create_table(
        "chains",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("on_end", sa.String(length=20), nullable=False),
        sa.Column("next_job_id", sa.Uuid(), nullable=True),
        sa.Column("data", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("since", at, nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("last_error_at", at, nullable=True),
        sa.Column("created_at", at, nullable=False),
        *(
            sa.ForeignKeyConstraint(
                [name], ["job_records.id"], name=op.f(f"fk_chains_{name}_job_records"), ondelete="SET NULL"
            )
            for name in ("job_id", "next_job_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chains")),
        sa.UniqueConstraint("name", name=op.f("uq_chains_name")),
    )
    for name in ("job_id", "next_job_id"):
        op.create_index(op.f(f"ix_chains_{name}"), "chains", [name])
    op.create_table(
        "chain_links",
        sa.Column("chain_id", sa.Uuid(), nullable=False),
        sa.Column("result_id", sa.Uuid(), nullable=False),
        sa.Column("dealt_at", at, nullable=False),
        sa.ForeignKeyConstraint(
            ["chain_id"], ["chains.id"], name=op.f("fk_chain_links_chain_id_chains"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["result_id"],
            ["job_results.id"],
            name=op.f("fk_chain_links_result_id_job_results"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("chain_id", "result_id", name=op.f("pk_chain_links")),
    )
    op.create_index(op.f("ix_chain_links_result_id"), "chain_links", ["result_id"])


def downgrade() -> None:
    op.drop_table("chain_links")
    op.drop_table("chains")
