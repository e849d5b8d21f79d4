"""Run markers: what says whether the changes of a run were saved."""

import sqlalchemy as sa
from alembic import op

revision = "errand_0001"
down_revision = None
branch_labels = ("errand",)
depends_on = None


def upgrade() -> None:
    op.create_table(
        "errand_run_markers",
        sa.Column("result_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("result_id", "attempt", name=op.f("pk_errand_run_markers")),
    )


def downgrade() -> None:
    op.drop_table("errand_run_markers")
