"""What runs a job when an object changes."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    at = sa.DateTime(timezone=True)
    op.create_table(
        "hooks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("object_types", sa.JSON(none_as_null=True), nullable=False),
        *(
            sa.Column(name, sa.Boolean(), nullable=False)
            for name in ("on_create", "on_update", "on_delete", "enabled")
        ),
        sa.Column("since", at, nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("last_error_at", at, nullable=True),
        sa.Column("created_at", at, nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["job_records.id"], name=op.f("fk_hooks_job_id_job_records"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hooks")),
        sa.UniqueConstraint("name", name=op.f("uq_hooks_name")),
    )
    op.create_index(op.f("ix_hooks_job_id"), "hooks", ["job_id"])


def downgrade() -> None:
    op.drop_table("hooks")
