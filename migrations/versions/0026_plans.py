"""Plans of runs, and what an approval lets them differ by; how long a request waits, by job."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "job_records", sa.Column("has_plan", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column(
        "job_records", sa.Column("approval_expires", sa.Double(), nullable=False, server_default="0")
    )
    op.add_column("job_results", sa.Column("plan", sa.JSON(none_as_null=True), nullable=True))
    op.add_column("approvals", sa.Column("planned_by", sa.Uuid(), nullable=True))
    op.add_column("approvals", sa.Column("drift", sa.Integer(), nullable=True))
    op.add_column("approvals", sa.Column("why_no_plan", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("approvals", "why_no_plan")
    op.drop_column("approvals", "drift")
    op.drop_column("approvals", "planned_by")
    op.drop_column("job_results", "plan")
    op.drop_column("job_records", "approval_expires")
    op.drop_column("job_records", "has_plan")
