"""Jobs that their authors have switched off."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    column = sa.Column("withdrawn", sa.Boolean(), nullable=False, server_default=sa.false())
    op.add_column("job_records", column)


def downgrade() -> None:
    op.drop_column("job_records", "withdrawn")
