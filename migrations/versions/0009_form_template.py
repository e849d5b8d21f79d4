"""What an author's template puts around a job's form, and what else a job was made from."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Empty until the next refresh, which `up` begins with.
    with op.batch_alter_table("job_records") as table:
        for name in ("form_template", "form_files", "siblings"):
            table.add_column(sa.Column(name, sa.JSON(none_as_null=True), nullable=False, server_default="{}"))


def downgrade() -> None:
    with op.batch_alter_table("job_records") as table:
        table.drop_column("siblings")
        table.drop_column("form_files")
        table.drop_column("form_template")
