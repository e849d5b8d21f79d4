"""Values that jobs keep between their runs."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "job_values",
        sa.Column("class_path", sa.String(length=400), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("result_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["result_id"],
            ["job_results.id"],
            name=op.f("fk_job_values_result_id_job_results"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("class_path", "key", name=op.f("pk_job_values")),
    )
    op.create_index("ix_job_values_result_id", "job_values", ["result_id"])


def downgrade() -> None:
    op.drop_table("job_values")
