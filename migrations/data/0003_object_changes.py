"""Change records: who changed which object, in which run, and how."""

import sqlalchemy as sa
from alembic import op

from store.columns import UtcDateTime

revision = "errand_0003"
down_revision = "errand_0002"
branch_labels = None
depends_on = None

TABLE = "errand_object_changes"


def upgrade() -> None:
    op.create_table(
        TABLE,
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("result_id", sa.Uuid(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("username", sa.String(150), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("action", sa.String(10), nullable=False),
        sa.Column("object_type", sa.String(100), nullable=False),
        sa.Column("object_pk", sa.String(100), nullable=False),
        sa.Column("object_text", sa.String(200), nullable=False),
        sa.Column("before", sa.JSON()),
        sa.Column("after", sa.JSON()),
        sa.Column("taken", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_errand_object_changes")),
    )
    op.create_index("ix_errand_object_changes_object", TABLE, ["object_type", "object_pk", "id"])
    op.create_index("ix_errand_object_changes_result_id", TABLE, ["result_id"])
    op.create_index(
        "ix_errand_object_changes_waiting",
        TABLE,
        ["id"],
        sqlite_where=sa.text("NOT taken"),
        postgresql_where=sa.text("NOT taken"),
    )


def downgrade() -> None:
    op.drop_table(TABLE)
